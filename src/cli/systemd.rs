//! What systemd is told: `Type=notify` or `notify-reload`, and the watchdog. Silent where no `NOTIFY_SOCKET` is.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::run::Running;

/// Agents can send.
pub fn ready(running: &Running) {
    say(&[NotifyState::Ready, NotifyState::Status(&status(running))]);
}

pub fn reloading() {
    let mut state = vec![NotifyState::Reloading];
    state.extend(NotifyState::monotonic_usec_now());
    say(&state);
}

pub fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("stopping: calls are answered, nothing new is taken")]);
}

/// A sign of life.
pub fn alive(running: &Running) {
    say(&[NotifyState::Watchdog, NotifyState::Status(&status(running))]);
}

/// How often a sign of life is wanted, if at all: twice as often as systemd would lose patience.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

/// One line for `systemctl status`; nothing of it comes from telemetry.
fn status(running: &Running) -> String {
    let state = running.state();
    let reload = if state.reload_error().is_some() { "; THE LAST RELOAD WAS REFUSED, see the journal" } else { "" };
    let failing = state.audit.as_ref().is_some_and(crate::observe::audit::Audit::is_failing);
    let audit = if failing { "; THE AUDIT TRAIL CANNOT BE WRITTEN, see the journal" } else { "" };
    let destinations = state
        .destinations
        .iter()
        .map(|destination| format!("{} ({} connections)", destination.name(), destination.metrics.connections()));
    format!("{} → {}{reload}{audit}", running.listen, destinations.collect::<Vec<_>>().join(", "))
}

fn say(state: &[NotifyState<'_>]) {
    // Who gave the socket and took it away cannot be told.
    let _ = sd_notify::notify(state);
}
