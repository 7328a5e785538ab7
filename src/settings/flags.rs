//! The settings on the command line and in the environment.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::mistakes::unknown_line;
use super::{Defaults, Mistake, PREFIX, Row, Settings, TABLE, row};

/// What `-h` shows; `--help` shows everything.
const COMMON: [&str; 5] = ["host", "port", "redis-url", "log-level", "data-dir"];

/// What Kubernetes sets in every pod beside a Service called `backchannel`: not meant for us.
const SERVICE_LINKS: [&str; 2] = ["BACKCHANNEL_PORT_", "BACKCHANNEL_SERVICE_"];

/// A flag for each setting, made from the table.
#[derive(Clone, Debug, Default)]
pub struct SettingFlags {
    /// By variable, as given.
    given: BTreeMap<&'static str, String>,
}

/// Settings together with what is only known while they are read.
pub struct Loaded {
    pub settings: Settings,
    /// Lines to log once logging works.
    pub warnings: Vec<String>,
    given: HashSet<String>,
}

impl Loaded {
    /// Whether the operator set this variable (or its flag) to anything.
    pub fn was_given(&self, name: &str) -> bool {
        self.given.contains(name)
    }
}

impl SettingFlags {
    /// Reads the settings: flag, else variable, else default.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(&self, defaults: Defaults) -> Result<Loaded, Vec<Mistake>> {
        self.load_from(defaults, std::env::vars_os())
    }

    fn load_from(&self, defaults: Defaults, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, Vec<Mistake>> {
        let mut values = BTreeMap::new();
        let mut warnings = Vec::new();
        let mut mistakes = Vec::new();
        for (name, text) in environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) || row(name).is_some()) else { continue };
            match (row(name), text.to_str().map(str::trim)) {
                (Some(_), Some("")) => {}
                (Some(row), Some(text)) => _ = values.insert(row.name, text.to_owned()),
                (Some(row), None) => mistakes.push(Mistake::value(row, &text.to_string_lossy(), Some("it is not UTF-8".to_owned()))),
                (None, _) if SERVICE_LINKS.iter().any(|link| name.starts_with(link)) => {}
                (None, _) => warnings.push(unknown_line(name)),
            }
        }
        values.extend(self.given.iter().map(|(name, text)| (*name, text.clone())));
        let given = values.keys().map(|name| (*name).to_owned()).collect();
        let pairs = values.into_iter().map(|(name, text)| (name.to_owned(), text));
        match Settings::with_defaults(defaults, pairs) {
            Ok(settings) if mistakes.is_empty() => {
                warnings.sort();
                Ok(Loaded { settings, warnings, given })
            }
            Ok(_) => Err(mistakes),
            Err(more) => Err(mistakes.into_iter().chain(more).collect()),
        }
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(TABLE.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for row in TABLE {
            if let Some(text) = matches.get_one::<String>(row.name).filter(|text| !text.trim().is_empty()) {
                self.given.insert(row.name, text.clone());
            }
        }
        Ok(())
    }
}

fn arg(row: &'static Row) -> Arg {
    let flag = row.flag();
    let common = COMMON.contains(&flag.as_str());
    let default = match (row.default, row.dev_default) {
        ("", _) => String::new(),
        (default, None) => format!(" [default: {default}]"),
        (default, Some(dev)) => format!(" [default: {default}, with dev: {dev}]"),
    };
    Arg::new(row.name)
        .long(flag)
        .value_name("VALUE")
        .allow_negative_numbers(true)
        .help_heading(row.section)
        .hide_short_help(!common)
        .help(row.help)
        .long_help(format!("{}\nMust be {}. [env: {}]{default}", row.help, row.allowed(), row.name))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: SettingFlags,
    }

    fn load(line: &[&str], environment: &[(&str, &str)]) -> Result<Loaded, Vec<Mistake>> {
        let line = Line::try_parse_from(std::iter::once(&"backchannel").chain(line)).expect("a line that clap takes");
        line.flags.load_from(Defaults::Serve, environment.iter().map(|(name, text)| (name.into(), text.into())))
    }

    #[test]
    fn a_flag_wins_over_its_variable() {
        let loaded = load(&["--port", "81"], &[("BACKCHANNEL_PORT", "82"), ("BACKCHANNEL_RATE_LIMIT", "7")]).expect("allowed");
        assert_eq!((loaded.settings.port, loaded.settings.rate_limit), (81, 7));
        assert!(loaded.was_given("BACKCHANNEL_PORT") && !loaded.was_given("BACKCHANNEL_HOST"));
    }

    #[test]
    fn an_empty_variable_or_flag_counts_as_unset() {
        let loaded = load(&["--rate-limit", ""], &[("BACKCHANNEL_PORT", " "), ("BACKCHANNEL_RATE_LIMIT", "9")]).expect("allowed");
        assert_eq!((loaded.settings.port, loaded.settings.rate_limit), (8080, 9));
        assert!(!loaded.was_given("BACKCHANNEL_PORT"));
    }

    #[test]
    fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
        let environment =
            [("BACKCHANNEL_RATELIMT", "1"), ("BACKCHANNEL_API_KEY_OF_MY_CLIENT", "x"), ("PATH", "/bin"), ("BACKCHANNEL_PORT_80_TCP", "x")];
        let warnings = load(&[], &environment).expect("allowed").warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("BACKCHANNEL_API_KEY_OF_MY_CLIENT") && !warnings[0].contains("did you mean"), "{warnings:?}");
        assert!(warnings[1].ends_with("did you mean BACKCHANNEL_RATE_LIMIT?"), "{warnings:?}");
    }

    #[test]
    fn a_negative_number_reaches_our_own_message() {
        let mistakes = load(&["--rate-limit", "-5"], &[]).map(|_| ()).expect_err("refused");
        assert!(mistakes[0].to_string().contains("is \"-5\""), "{mistakes:?}");
    }
}
