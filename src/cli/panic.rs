//! A panic that nobody caught: the log says where and what (masked), the terminal names the log, and the exit status is that of a failure.
//!
//! Always: no backtrace and no value on the terminal; with `--json` it is told as every error. A command without a log gets one now, if the work directory can be written.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use qianyi::{clock, panics};

use super::context::Context;
use super::failure::{self, Told};
use super::{exit, log, out};

/// Does a command's work; a panic in it, on whichever thread, is told in one sentence.
pub fn guarded(context: &Context, work: impl FnOnce() -> ExitCode) -> ExitCode {
    let (workdir, zone) = (context.workdir.clone(), context.zone().unwrap_or(clock::DEFAULT_ZONE));
    let say = context.words().ok().map(|words| {
        let said = |key: &str| words.say("panic", key);
        (said("told"), said("log"), said("no_log"))
    });
    let (told, json) = (AtomicBool::new(false), context.json);
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if panics::is_expected() {
            return;
        }
        if log::path().is_none() {
            // The terminal says when there is none.
            let _ = log::open(&workdir, "panic", zone);
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(code = CODE, place, "panicked: {}", panics::text(info.payload()));
        if told.swap(true, Ordering::Relaxed) {
            return;
        }
        let (what, log, no_log) = say.clone().unwrap_or_default();
        let log = log::path().map_or(no_log, |path| format!("{log} {}", path.display()));
        if json {
            let told = Told {
                version: 1,
                status: exit::PANIC,
                code: CODE.to_owned(),
                message: format!("{what} ({place})"),
                hint: Some(log),
                causes: Vec::new(),
                mistakes: Vec::new(),
            };
            return out::json_error(&told);
        }
        let [wrong, _, advice] = failure::heads();
        out::error(&format!("{wrong} {CODE}: {what} ({place})\n\n{advice}: {log}\n"));
    }));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| ExitCode::from(exit::PANIC))
}

const CODE: &str = "CLI-900";
