//! What can be typed: the one table from which parser, help and completions come.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use qianyi::audit::{Head, Kind};
use qianyi::pipeline::Held;

use super::args_lists::{Encoding, FindingsArgs, ListArgs};

/// From a city's legacy social-insurance database to sealed, reconciled national data (迁移).
#[derive(Debug, Parser)]
#[command(name = "qianyi", version, long_version = super::built_in::version(), max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 done · 1 failed (run the same command again: it goes on) · \
2 wrong usage or configuration · 3 finished, but blocked (something is unexplained)")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Where everything is kept: state.db, raw, runs, packages, logs.
    #[arg(long, global = true, value_name = "DIR", default_value = "work", env = "QIANYI_WORKDIR")]
    pub workdir: PathBuf,
    /// A configuration file; may be given several times, a later one wins.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Language of what is printed and of the report; default: `lang` of the configuration, else the locale's, else English.
    #[arg(long, global = true, value_enum, env = "QIANYI_LANG")]
    pub lang: Option<LangArg>,
    /// Print the result as one JSON document.
    #[arg(long, global = true)]
    pub json: bool,
    /// Memory of the whole process, for example 768MiB [default: 1GiB].
    #[arg(long, global = true, value_name = "SIZE")]
    pub memory: Option<String>,
    /// No progress.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LangArg {
    Zh,
    En,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a legacy city with known defects, run everything, seal a package, say where things lie.
    Demo(DemoArgs),
    /// Make a legacy city of any size, and the truth about its defects beside it.
    Fixture(FixtureArgs),
    /// Make the folder of a new city, to be edited: configuration, national schema, rules, and for sources that can be reached (--config,
    /// --database) a first reading of every table. Never overwrites a file.
    Init(InitArgs),
    /// What the extracted legacy tables hold: nulls, lengths, distinct values, codes without a mapping.
    Profile,
    /// What a run would do: tables, chunks, rows, unmapped columns and codes; and what it would refuse (exit status 3). Touches
    /// nothing.
    Plan(HeldArgs),
    /// Look at connections, rights, encodings, TLS, isolation of every source, and for everything that tonight's run would refuse or
    /// could not read.
    Doctor,
    /// Copy the legacy tables, exactly, into raw.
    Extract(ExtractArgs),
    /// Extract, map, check, stage, reconcile, report.
    Run(HeldArgs),
    /// Run, then rehearse the load in the staging database: with every key on, compared row by row, and dropped again; exit status 3
    /// when anything is wrong. Without [staging] in the configuration the same checks run here, over the staged files.
    DryRun(DryRunArgs),
    /// Show the reconciliation of a run, and what else blocks it; exit status 3 when anything is unexplained.
    Reconcile(ReconcileArgs),
    /// Render the report of a run again.
    Report(ReportArgs),
    /// The cleaning rules: all of them, one, or their cases.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Open findings of a run: on the terminal, or as CSV or XLSX for a spreadsheet. Values are masked.
    Findings(FindingsArgs),
    /// The lists that an office wants of a run (sql/lists/): on the terminal, or as CSV or XLSX. Without a name: which there are. Values are
    /// masked.
    List(ListArgs),
    /// What a run changed, field by field: before, after, rule. Values are masked.
    Changes(ChangesArgs),
    /// One row's whole way: where it lay in raw, what it was mapped to, what changed it, what was found, where it ended. Values are masked;
    /// exit status 3 when the run has no such row.
    Trace(TraceArgs),
    /// What waits for approval (A1); with a rule: its proposals, and with --yes their approval, which the next run applies.
    Approve(ApproveArgs),
    /// Lists for the departments: what they have to decide goes out as forms, their decisions come in, and where every item stands.
    #[command(subcommand)]
    Worklist(WorklistCommand),
    /// Seal staged data for upload, or check a sealed package.
    #[command(subcommand)]
    Package(PackageCommand),
    /// The audit log: whether it and what it stands for are as recorded, what it says, its head.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check raw, runs, packages and the audit log against what was recorded of them: every file that differs, is missing or is extra; exit
    /// status 3 when there is one.
    Verify,
    /// Make the newest extract of every source, which a base and increments came to, a base of its own with few and full parts; `prune` may then
    /// remove the older ones. The source is not touched.
    Compact,
    /// Remove what the policy [keep] of the configuration no longer keeps; without --apply only show it.
    Prune(PruneArgs),
    /// Whether everything is fit for cutover, who approves it, the last extract, the run book.
    #[command(subcommand)]
    Cutover(CutoverCommand),
    /// Run the jobs of the configuration when they are due, in the foreground, until SIGTERM or Ctrl-C.
    Schedule(ScheduleArgs),
    /// Extracts, runs and jobs of the work directory, and how they ended.
    Status(StatusArgs),
    /// The events of one run as its log has them; default: those of the last command.
    Logs(LogsArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Write the manual pages, one a command, into a folder.
    #[command(hide = true)]
    Man { dir: PathBuf },
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Persons of the city.
    #[arg(long, default_value_t = 20_000)]
    pub persons: u64,
    /// The same seed gives the same city.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Approve everything that the rules propose and that can be applied, and run a second round.
    #[arg(long)]
    pub approve_all: bool,
    /// So many rounds of an office's work, and a run after each: proposals approved, forms handed out, filled in by what the truth says, signed
    /// by three people and imported; faults without a form mended in the legacy database. In the second one fault comes back there.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=12), conflicts_with = "approve_all")]
    pub rounds: u32,
}

/// `fixture`.
#[derive(Debug, Args)]
pub struct FixtureArgs {
    /// Persons of the city.
    #[arg(long, default_value_t = 20_000)]
    pub persons: u64,
    /// The same seed gives the same city.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to: sqlite:PATH, postgres://USER@HOST/DATABASE (an empty database in SQL_ASCII) or sqlserver:ADO.NET-STRING (an
    /// empty database; the truth goes to the work directory). Only what this command made itself is ever replaced.
    #[arg(long, value_name = "DATABASE")]
    pub into: String,
    /// Plant no defects: dirt only.
    #[arg(long)]
    pub no_defects: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Id of the city: small letters, digits, _ and -.
    #[arg(long, value_name = "ID")]
    pub city: String,
    /// Its name for people, for example 白城市; default: its id.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A copy of the legacy database as SQLite, whose tables are looked at; in place of the sources of --config.
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,
}

/// `extract`.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// Read this table again, whatever its method of following changes; may be given several times.
    #[arg(long, value_name = "TABLE")]
    pub full: Vec<String>,
}

/// `run`, `plan`: over extracts that are there.
#[derive(Debug, Args)]
pub struct HeldArgs {
    /// Stand on an extract that is there, for example e0007, or on the newest of every source (`latest`), and never connect; with
    /// several sources it may be given several times.
    #[arg(long, value_name = "EXTRACT")]
    pub extract: Vec<Held>,
}

/// `dry-run`.
#[derive(Debug, Args)]
pub struct DryRunArgs {
    #[command(flatten)]
    pub held: HeldArgs,
    /// Rehearse this finished run, for example r0001, and run nothing.
    #[arg(long, value_name = "RUN", conflicts_with = "extract")]
    pub run: Option<String>,
    /// Leave what was loaded in the staging database, in place of what an earlier dry run left there.
    #[arg(long)]
    pub keep: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run, for example r0001; default: the newest finished one.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Write the same numbers to this file as a workbook, a sheet a table.
    #[arg(long, value_name = "FILE")]
    pub xlsx: Option<PathBuf>,
}

/// `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// The run, for example r0002; default: the newest finished one.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Show what changed since this run instead: rows and money by table, insurance and disposition, findings by rule.
    #[arg(long, value_name = "RUN")]
    pub against: Option<String>,
}

/// `rules …`.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Every rule file: work item, table, severity, repair level, department.
    List,
    /// The text of one rule.
    Show(RuleArgs),
    /// Run the cases beside the rules; exit status 3 when one comes out otherwise.
    Test(RuleTestArgs),
    /// Compare what a run over a generated city found with the defects that were planted in it; exit status 3 when something
    /// planted is missed or something else is found.
    Score(ScoreArgs),
}

/// `rules score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The truth beside a generated city: <database>.truth.parquet.
    #[arg(long, value_name = "FILE")]
    pub truth: PathBuf,
    /// The run, for example r0001; default: the newest finished one.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// Which rule.
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The rule, for example FIX-04.
    #[arg(value_name = "RULE")]
    pub rule: String,
}

/// Which rule, or all.
#[derive(Debug, Args)]
pub struct RuleTestArgs {
    /// The rule, for example FIX-04; default: all.
    #[arg(value_name = "RULE")]
    pub rule: Option<String>,
}

/// `changes`.
#[derive(Debug, Args)]
pub struct ChangesArgs {
    /// Of this national table only.
    #[arg(value_name = "TABLE")]
    pub table: Option<String>,
    /// Of the row of this key only.
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// The run, for example r0001; default: the newest finished one.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// A national table (AC01), or a legacy one with its source (ylbx.GRJBXX).
    #[arg(value_name = "TABLE")]
    pub table: String,
    /// The national key of the row (as `findings --json` has it), or its legacy key.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// The run, for example r0001; default: the newest finished one.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The rule whose proposals are meant, for example FIX-02; without one: every rule that waits.
    #[arg(value_name = "RULE")]
    pub rule: Option<String>,
    /// Approve them; without this they are only shown.
    #[arg(long, requires = "rule", requires = "reason")]
    pub yes: bool,
    /// Why, or on which evidence: kept with the approval.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Undo a batch, for example b0001: what it changed is proposed again by the next run.
    #[arg(long, value_name = "BATCH", conflicts_with_all = ["rule", "yes"])]
    pub undo: Option<String>,
    /// List every batch: approved proposals and imported decisions, by whom, whether undone.
    #[arg(long, conflicts_with_all = ["rule", "yes", "undo"])]
    pub batches: bool,
    /// The run, for example r0001; default: the newest finished one.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// `worklist …`.
#[derive(Debug, Subcommand)]
pub enum WorklistCommand {
    /// Write what is open as forms, one a department, rule and county. Values are masked.
    Export(WorklistExportArgs),
    /// Read forms that came back; the next run applies what three people have signed. A file with a mistake is refused as a whole, every mistake
    /// with its sheet and cell (exit status 2).
    Import(WorklistImportArgs),
    /// How many items are open, handed out, decided, waived, with the province, or stale, by department and rule.
    List(WorklistListArgs),
}

/// `worklist export`.
#[derive(Debug, Args)]
pub struct WorklistExportArgs {
    /// The run, for example r0001; default: the newest finished one.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Of this rule only.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Of this department only: 综合, 养老, 失业, 经办, 信息 or 审计.
    #[arg(long, value_name = "DEPARTMENT")]
    pub department: Option<String>,
    /// Of units of this county only, by its region code, for example 229901.
    #[arg(long, value_name = "CODE")]
    pub county: Option<String>,
    /// Where the files are to lie; default: worklists/<run> in the work directory.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// One list of what the province has to decide, in place of forms.
    #[arg(long)]
    pub province: bool,
    /// CSV files in place of workbooks.
    #[arg(long)]
    pub csv: bool,
    /// Encoding of the CSV files.
    #[arg(long, value_enum, default_value = "utf-8")]
    pub encoding: Encoding,
    /// Show values in clear; takes an account of [[people]], and is recorded.
    #[arg(long)]
    pub reveal: bool,
}

/// `worklist import`.
#[derive(Debug, Args)]
pub struct WorklistImportArgs {
    /// Workbooks or CSV files; each is taken as a whole or not at all.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The files are the province's answers to its list; their columns and words are those of this form, for example
    /// mappings/national/province/answers.toml.
    #[arg(long, value_name = "FORM")]
    pub form: Option<PathBuf>,
}

/// `worklist list`.
#[derive(Debug, Args)]
pub struct WorklistListArgs {
    /// Of this rule only.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Of this department only: 综合, 养老, 失业, 经办, 信息 or 审计.
    #[arg(long, value_name = "DEPARTMENT")]
    pub department: Option<String>,
}

/// `package …`.
#[derive(Debug, Subcommand)]
pub enum PackageCommand {
    /// Seal the staged tables of a finished run as a BagIt bag.
    Build(BuildArgs),
    /// Check every file, digest and row count of a package.
    Verify(VerifyArgs),
}

/// `package build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The run, for example r0001; default: the newest finished one.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Seal a run that is blocked, too; the package says so.
    #[arg(long)]
    pub allow_blocked: bool,
}

/// `package verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A package's folder; default: the newest one of the work directory.
    #[arg(value_name = "DIR")]
    pub package: Option<PathBuf>,
}

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the chain of the log, and every file that its events stand for; exit status 3 when a line or a file does not fit.
    Verify(AuditVerifyArgs),
    /// List events, the newest last.
    Show(AuditShowArgs),
    /// Print number and SM3 of the newest event: what to keep elsewhere, so that a log whose end was cut off is found.
    Head,
}

/// `audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerifyArgs {
    /// A head that was kept elsewhere, as `audit head` prints it.
    #[arg(long, value_name = "N:SM3")]
    pub head: Option<Head>,
}

/// `audit show`.
#[derive(Debug, Args)]
pub struct AuditShowArgs {
    /// Of this kind only: run, rehearsal, approval, undo, package, prune, export, import, reveal, waiver, readiness, interrupted.
    #[arg(long, value_name = "KIND", value_parser = Kind::ALL.map(Kind::text))]
    pub kind: Option<String>,
    /// So many of the newest only.
    #[arg(long, value_name = "NUMBER")]
    pub last: Option<usize>,
}

/// `prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Remove it; without this nothing is touched.
    #[arg(long)]
    pub apply: bool,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The run, for example r0001; default: whatever the last command did.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
}

/// `cutover …`.
#[derive(Debug, Subcommand)]
pub enum CutoverCommand {
    /// Judge every criterion of [cutover] over the newest finished run, with the digest of its evidence; exit status 3 until all are
    /// fulfilled.
    Check,
    /// Approve the evidence of today, as one of the approvers of [cutover]; void once any of it changes.
    Approve(CutoverApproveArgs),
    /// Take the last increment of every source; nothing is extracted into this work directory after it.
    Freeze,
    /// Write the run book of a cutover as a page or a workbook: steps, who answers for them, planned and actual time.
    Runbook(RunBookArgs),
}

/// `cutover approve`.
#[derive(Debug, Args)]
pub struct CutoverApproveArgs {
    /// Why, or on which evidence: kept with the approval.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `cutover runbook`.
#[derive(Debug, Args)]
pub struct RunBookArgs {
    /// The run book as TOML (config/cutover-runbook.example.toml).
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write it as a page.
    #[arg(long, value_name = "FILE", required_unless_present = "xlsx")]
    pub html: Option<PathBuf>,
    /// Write it as a workbook.
    #[arg(long, value_name = "FILE")]
    pub xlsx: Option<PathBuf>,
}

/// `schedule`.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    pub command: Option<ScheduleCommand>,
}

/// `schedule …`.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Print systemd units and timers for the jobs; installs nothing.
    Install(InstallArgs),
}

/// `schedule install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The system user that the units run as.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Where the units are to lie.
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system")]
    pub dir: PathBuf,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Findings of every round by work item, rule and department instead: new, still open, fixed, reopened.
    #[arg(long)]
    pub rounds: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    pub shell: Shell,
}
