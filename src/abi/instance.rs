//! One instance of a plugin, from its start to its end, whatever its kind.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::{debug, error, info, warn};

use super::{
    callback::{Start, caught, install_hook},
    host::Host,
    log, sys,
    written::Written,
};
use crate::{
    options::Options,
    plugin::Refusal,
    runtime::{Owner, Tasks},
};

/// The kinds of plugins, as the host's log writes them.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Filter,
    Input,
    Output,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Filter => "filter",
            Kind::Input => "input",
            Kind::Output => "output",
        })
    }
}

impl Kind {
    /// Says why no instance of `plugin` can start here.
    pub(super) fn refuse(self, plugin: &str, refusal: &Refusal) -> Start {
        Host::get().print(sys::FLB_LOG_ERROR as u8, &format!("[{self}:{plugin}] {refusal}"));
        Start::Refused
    }
}

/// A started plugin with its background work.
pub(super) struct Instance<P> {
    pub(super) plugin: P,
    pub(super) tasks: Tasks,
    pub(super) owner: Arc<Owner>,
    plugin_name: &'static str,
    _name: UniqueName,
}

impl<P> Instance<P> {
    /// Reads the options and starts; says why where it can't.
    pub(super) fn start<O: Options>(
        kind: Kind,
        plugin_name: &'static str,
        instance_name: &str,
        level: u8,
        written: &Written,
        start: impl FnOnce(O, Tasks) -> Result<P, Refusal>,
    ) -> Option<Self> {
        install_hook();
        log::install();
        let name = UniqueName::take(format!("{kind}:{plugin_name}:{instance_name}"));
        let owner = Owner { name: name.0.clone(), level };
        let tasks = match Tasks::new(owner) {
            Ok(tasks) => tasks,
            Err(error) => {
                kind.refuse(plugin_name, &Refusal::new(format_args!("no threads can be started: {error}")));
                return None;
            }
        };
        let owner = Arc::clone(tasks.owner());
        let stop = tasks.clone();
        let started = owner.scope(|| {
            caught(plugin_name, "start", || {
                announce();
                let started = O::load(&|key| written.get(key))
                    .map_err(Refusal::new)
                    .and_then(|options| start(options, tasks.clone()))
                    .inspect_err(|refusal| error!("{refusal}"));
                started.ok()
            })
        });
        let Some(plugin) = started.flatten() else {
            stop.stop();
            return None;
        };
        Some(Self { plugin, tasks, owner, plugin_name, _name: name })
    }

    /// Ends the background work.
    pub(super) fn stop(&self) {
        self.owner.scope(|| {
            caught(self.plugin_name, "stop", || {
                self.tasks.stop();
                debug!("ended");
            })
        });
    }
}

/// Lets go of what was kept for a stopped instance, on the instance's account. The plugin itself goes with the last
/// callback that uses it.
pub(super) fn release<K, P>(kept: Arc<K>, instance: impl FnOnce(&K) -> &Instance<P>) {
    let Instance { owner, plugin_name, .. } = instance(&kept);
    let (owner, plugin_name) = (Arc::clone(owner), *plugin_name);
    owner.scope(|| caught(plugin_name, "stop", || drop(kept)));
}

/// A name that no other live instance has, in log lines and metrics. The host calls the filters of all processors alike.
struct UniqueName(String);

static NAMES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl UniqueName {
    /// The name, or with `#2` and so on behind it.
    fn take(name: String) -> Self {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unique = name.clone();
        let mut number = 1;
        while !names.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}#{number}");
        }
        Self(unique)
    }
}

impl Drop for UniqueName {
    fn drop(&mut self) {
        NAMES.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Says once per process which host this is.
fn announce() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        let version = Host::get().version();
        info!("flb-kube {} in Fluent Bit {version}", env!("CARGO_PKG_VERSION"));
        if is_newer(version, LAST_TESTED) {
            let [major, minor, patch] = LAST_TESTED;
            warn!(
                "Fluent Bit {version} is newer than {major}.{minor}.{patch}, the last one that this flb-kube was tested \
                 with; its interface looks the same"
            );
        }
    }
}

/// The last release of the host that the tests ran on.
const LAST_TESTED: [u32; 3] = [5, 1, 1];

fn is_newer(version: &str, than: [u32; 3]) -> bool {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u32>().ok());
    let mut next = || numbers.next().flatten();
    next().zip(next()).is_some_and(|(major, minor)| [major, minor, next().unwrap_or(0)] > than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_hosts_are_told_from_those_that_were_tested() {
        for newer in ["5.1.2", "5.2.0", "6.0.0", "5.2"] {
            assert!(is_newer(newer, LAST_TESTED), "{newer}");
        }
        for tested in ["5.1.1", "5.0.9", "2.0.0", "4.2.3.1", "of unknown version", ""] {
            assert!(!is_newer(tested, LAST_TESTED), "{tested}");
        }
    }
}
