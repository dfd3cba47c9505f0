//! Named places where a test kills the process, as kill -9 or a power cut would.
//!
//! Always: [`ALL`] lists every name; without `QIANYI_FAILPOINT` in the environment a hit costs one comparison and does nothing.
//! Must not know: what happens at these places.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every failpoint; the kill test walks this list.
pub const ALL: &[&str] = &[
    "durable.written",
    "durable.synced",
    "durable.renamed",
    "state.commit",
    "state.committed",
    "extract.begun",
    "extract.abandoned",
    "extract.planned",
    "extract.read",
    "extract.written",
    "extract.recorded",
    "extract.cut",
    "extract.merged",
    "extract.measured",
    "extract.complete",
    "compact.begun",
    "compact.table",
    "compact.complete",
    "audit.recorded",
    "prune.decided",
    "prune.removed",
    "clean.found",
    "clean.written",
    "clean.applied",
    "fixture.filled",
    "package.renamed",
    "run.computed",
    "run.recorded",
    "run.written",
    "run.done",
    "rehearse.created",
    "rehearse.loaded",
    "rehearse.keyed",
    "rehearse.compared",
];

/// `name:N` or `*:N`: which hit ends the process.
struct Armed {
    name: Option<String>,
    nth: u64,
    seen: AtomicU64,
    panics: bool,
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    ARMED
        .get_or_init(|| {
            let text = std::env::var("QIANYI_FAILPOINT").ok()?;
            let (name, nth) = text.rsplit_once(':')?;
            let panics = nth.ends_with('!');
            let name = (name != "*").then(|| name.to_owned());
            Some(Armed {
                name,
                nth: nth.trim_end_matches('!').parse().ok()?,
                panics,
                seen: AtomicU64::new(0),
            })
        })
        .as_ref()
}

/// Ends the process at once when `QIANYI_FAILPOINT` asks for this hit: `name:N` the Nth hit of that name, `*:N` the Nth of any; `N!`
/// panics instead, with a text as libraries write them.
pub fn hit(name: &'static str) {
    debug_assert!(ALL.contains(&name), "failpoint {name} is not in the list");
    let Some(armed) = armed() else { return };
    if armed.name.as_deref().is_some_and(|wanted| wanted != name) {
        return;
    }
    if armed.seen.fetch_add(1, Ordering::Relaxed) + 1 == armed.nth {
        if armed.panics {
            panic!("failpoint {name}: person 张三丰 229901198001010010");
        }
        std::process::abort();
    }
}
