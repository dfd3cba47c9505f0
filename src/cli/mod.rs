//! The command line: one file a command; arguments → one library call → what is printed.
//!
//! Always: results go to standard output (with `--json` one JSON document and nothing else, also where it is an error), progress and errors to
//! standard error;
//! the exit status comes from exit.rs alone. No personal data in any of them.
//! Must not know: how anything is computed.

mod approve;
mod args;
mod args_lists;
mod audit;
mod built_in;
mod changes;
mod compact;
mod completions;
mod context;
mod cutover;
mod demo;
mod doctor;
mod dry_run;
mod exit;
mod extract;
mod failure;
mod findings;
mod findings_file;
mod fixture;
mod help;
mod init;
mod list;
mod list_file;
mod log;
mod logs;
mod man;
mod office;
mod out;
mod package;
mod panic;
mod place;
mod plan;
mod profile;
mod prune;
mod reconcile;
mod report;
mod rounds;
mod rules;
mod run;
mod schedule;
mod score;
mod signals;
mod status;
mod status_words;
mod summary;
mod trace;
mod verify;
mod watch;
mod worklist;

use clap::FromArgMatches;
use clap::error::ErrorKind;
use qianyi::messages::Lang;

use args::{
    AuditCommand, Cli, Command, CutoverCommand, PackageCommand, RulesCommand, ScheduleCommand,
    WorklistCommand,
};
use context::Context;
use exit::Ended;
use failure::{Failure, Usage};

/// Parses the arguments, does what they say, prints, and returns the exit status.
pub fn main() -> std::process::ExitCode {
    let lang = help::lang();
    let mut parser = help::parser(lang);
    let typed = parser.try_get_matches_from_mut(std::env::args_os());
    let cli = match typed.and_then(|all| Cli::from_arg_matches(&all)) {
        Ok(cli) => cli,
        Err(asked) => {
            let json = std::env::args_os().any(|argument| argument == "--json");
            // Of a mistake clap speaks English only; a command without its subcommand gets the help.
            let help = asked.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            if asked.use_stderr() && (json || (lang == Lang::Zh && !help)) {
                qianyi::messages::speak(lang);
                failure::show(&Usage::arguments(&asked).into(), json);
            } else {
                // Help and version go to standard output, a mistake to standard error; a closed pipe is nobody's concern.
                let _ = asked.print();
            }
            return exit::of_clap(&asked);
        }
    };
    let context = Context::new(cli.global);
    panic::guarded(&context, || {
        let ended = dispatch(&context, cli.command);
        if let Err(failure) = &ended {
            failure::show(failure, context.json);
        }
        exit::of(&ended)
    })
}

fn dispatch(context: &Context, command: Command) -> Result<Ended, Failure> {
    match command {
        Command::Demo(args) => demo::demo(context, &args),
        Command::Fixture(args) => fixture::fixture(context, &args),
        Command::Init(args) => init::init(context, &args),
        Command::Profile => profile::profile(context),
        Command::Plan(args) => plan::plan(context, &args),
        Command::Doctor => doctor::doctor(context),
        Command::Extract(args) => extract::extract(context, &args),
        Command::Run(args) => run::walk(context, &args),
        Command::DryRun(args) => dry_run::dry_run(context, &args),
        Command::Reconcile(args) => reconcile::reconcile(context, &args),
        Command::Report(args) => report::report(context, &args),
        Command::Rules(RulesCommand::List) => rules::list(context),
        Command::Rules(RulesCommand::Show(args)) => rules::show(context, &args),
        Command::Rules(RulesCommand::Test(args)) => rules::test(context, &args),
        Command::Rules(RulesCommand::Score(args)) => score::score(context, &args),
        Command::Findings(args) => findings::findings(context, &args),
        Command::List(args) => list::list(context, &args),
        Command::Changes(args) => changes::changes(context, &args),
        Command::Trace(args) => trace::follow(context, &args),
        Command::Approve(args) => approve::approve(context, &args),
        Command::Worklist(WorklistCommand::Export(args)) => worklist::export(context, &args),
        Command::Worklist(WorklistCommand::Import(args)) => worklist::import(context, &args),
        Command::Worklist(WorklistCommand::List(args)) => worklist::list(context, &args),
        Command::Package(PackageCommand::Build(args)) => package::build(context, &args),
        Command::Package(PackageCommand::Verify(args)) => package::verify(context, &args),
        Command::Audit(AuditCommand::Verify(args)) => audit::verify(context, &args),
        Command::Audit(AuditCommand::Show(args)) => audit::show(context, &args),
        Command::Audit(AuditCommand::Head) => audit::head(context),
        Command::Verify => verify::verify(context),
        Command::Compact => compact::compact(context),
        Command::Prune(args) => prune::prune(context, &args),
        Command::Logs(args) => logs::logs(context, &args),
        Command::Cutover(CutoverCommand::Check) => cutover::check(context),
        Command::Cutover(CutoverCommand::Approve(args)) => cutover::approve(context, &args),
        Command::Cutover(CutoverCommand::Freeze) => cutover::freeze(context),
        Command::Cutover(CutoverCommand::Runbook(args)) => cutover::run_book(context, &args),
        Command::Schedule(args) => match args.command {
            None => schedule::schedule(context),
            Some(ScheduleCommand::Install(args)) => schedule::install(context, args),
        },
        Command::Status(args) if args.rounds => rounds::rounds(context),
        Command::Status(_) => status::status(context),
        Command::Completions(args) => completions::completions(&args),
        Command::Man { dir } => man::man(&dir),
    }
}
