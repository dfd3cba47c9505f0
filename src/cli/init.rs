//! `qianyi init`: a new city's folder, to be edited; with a source that can be reached, a first reading of each of its tables.

use qianyi::config::{Given, given, sqlite};
use qianyi::init::{Made, NewCity, init as make};
use qianyi::mask;
use qianyi::report::Words;
use qianyi::source;

use super::args::InitArgs;
use super::context::{Context, absolute, block_on};
use super::exit::Ended;
use super::failure::Failure;
use super::out;

/// Makes the folder.
pub fn init(context: &Context, args: &InitArgs) -> Result<Ended, Failure> {
    let Given { mappings, rules, mut sources, mut text } = given(&context.layers()?)?;
    if let Some(database) = &args.database {
        let (settings, as_text) = sqlite("ylbx", &absolute(database))?;
        (sources, text) = (vec![settings], Some(as_text));
    }
    let mut tables = Vec::new();
    for of in &sources {
        let found = block_on(async { source::connect(of).await?.catalogue().await })??;
        tables.push((of.id.clone(), found));
    }
    let name = args.name.clone().unwrap_or_else(|| args.city.clone());
    let folder = absolute(&args.dir);
    let of = NewCity { folder, id: args.city.clone(), name, mappings, rules, sources: text, tables };
    let made = make(&of)?;
    if context.json {
        out::json(&made);
    } else {
        out::text(&shown(&context.words()?, &made));
    }
    Ok(Ended::Done)
}

fn shown(words: &Words, made: &Made) -> String {
    let say = |key: &str| words.say("init", key);
    let mut text = format!("{}\n", made.folder.display());
    for file in &made.written {
        text.push_str(&format!("  {} {}\n", say("written"), mask::visible(file)));
    }
    for file in &made.kept {
        text.push_str(&format!("  {} {}\n", say("kept"), mask::visible(file)));
    }
    text.push_str(&format!("  {} {}\n\n{}\n", out::grouped(made.copied), say("copied"), say("next")));
    let config = made.folder.join("qianyi.toml");
    for (n, step) in ["edit", "plan", "ignore", "national", "run"].iter().enumerate() {
        text.push_str(&format!(
            "  {}. {}\n",
            n + 1,
            say(step).replace("{config}", &config.display().to_string())
        ));
    }
    text
}
