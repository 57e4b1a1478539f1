# Privet as an image: one static binary, no shell, a user that is not root.
#
#   docker build -t privet .
#   docker run --read-only --cap-drop all -p 4317:4317 -v ./policy.yaml:/etc/privet/policy.yaml:ro privet
#
# Both bases can be pinned: --build-arg BUILD_IMAGE=rust:1.95-slim@sha256:…
ARG BUILD_IMAGE=rust:1.95-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
# The release profile is made for speed and takes minutes to build. For a look: LTO=off, CODEGEN_UNITS=16.
ARG LTO=fat
ARG CODEGEN_UNITS=1
# Puts the list of all dependencies into the binary, where scanners for known vulnerabilities find it.
ARG CARGO_AUDITABLE_VERSION=0.7.7
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/tmp/auditable \
    cargo install --quiet --locked --target-dir /tmp/auditable cargo-auditable@${CARGO_AUDITABLE_VERSION}
COPY Cargo.toml Cargo.lock build.rs ./
COPY proto proto
COPY rules rules
COPY benches benches
COPY docs docs
COPY src src
# A target that is named is built apart from procedural macros, which cannot be static.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target=$(rustc -vV | sed -n 's/^host: //p') \
    && CARGO_PROFILE_RELEASE_LTO=${LTO} CARGO_PROFILE_RELEASE_CODEGEN_UNITS=${CODEGEN_UNITS} \
       CARGO_PROFILE_RELEASE_STRIP=symbols RUSTFLAGS='-C target-feature=+crt-static' \
       cargo auditable build --locked --release --bin privet --target "$target" \
    && install -D "target/$target/release/privet" /out/usr/bin/privet \
    && install -d /out/keys

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="Privet" \
      org.opencontainers.image.description="The privacy hedge for telemetry: an OTLP sidecar that pseudonymises what must not leave" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/usr /usr
# Where a volume with a keyring may be mounted: a new named volume takes over the owner.
COPY --from=build --chown=65532:65532 /out/keys /var/lib/privet
# The defaults of a container, each file to be mounted over. Any PRIVET_* variable comes before what they say.
COPY packaging/image/ /etc/privet/
ENV PRIVET_CONFIG=/etc/privet/privet.yaml
EXPOSE 4317
USER 65532:65532
HEALTHCHECK --interval=5s --timeout=3s --start-period=2s CMD ["/usr/bin/privet", "health"]
ENTRYPOINT ["/usr/bin/privet"]
CMD ["run"]
