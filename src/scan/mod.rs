//! Bytes to class masks: the one module with `unsafe`, behind a safe face, with a portable twin of every vector routine.
