//! What a bench found: ratios with their targets, tables, and the page they are written to.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Between these two lines of a page stands what the program writes; the rest is written by people.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// One comparison.
#[derive(Clone, Debug)]
pub struct Ratio {
    pub what: String,
    pub ours: String,
    pub against: String,
    /// None where one side could not be measured.
    pub ratio: Option<f64>,
    /// The most it should be.
    pub target: f64,
}

/// Everything found in one run.
#[derive(Default)]
pub struct Report {
    ratios: Vec<Ratio>,
    sections: Vec<(String, String)>,
}

impl Ratio {
    /// Of two costs in the same unit.
    pub fn of(what: &str, ours: Option<f64>, against: Option<f64>, unit: &str, target: f64) -> Self {
        let show = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), |v| format!("{v:.1} {unit}"));
        let ratio = ours.zip(against).filter(|(_, a)| *a > 0.0).map(|(o, a)| o / a);
        Self { what: what.to_owned(), ours: show(ours), against: show(against), ratio, target }
    }

    fn verdict(&self) -> &'static str {
        match self.ratio {
            Some(r) if r <= self.target => "reached",
            Some(_) => "missed",
            None => "not measured",
        }
    }
}

impl Report {
    pub fn ratio(&mut self, ratio: Ratio) {
        let shown = ratio.ratio.map_or_else(|| "–".to_owned(), |r| format!("{r:.2}"));
        println!(
            "  => {}: {} against {} = {shown} (target {:.2}): {}",
            ratio.what,
            ratio.ours,
            ratio.against,
            ratio.target,
            ratio.verdict()
        );
        self.ratios.push(ratio);
    }

    /// A chapter of the page, in Markdown.
    pub fn section(&mut self, title: &str, text: String) {
        println!("{text}");
        self.sections.push((title.to_owned(), text));
    }

    /// All of it, in Markdown.
    pub fn page(&self, machine: &str) -> String {
        let mut page =
            format!("{machine}\n\n## Ratios\n\n| what | here | yardstick | ratio | target | |\n| --- | --- | --- | --- | --- | --- |\n");
        for r in &self.ratios {
            let ratio = r.ratio.map_or_else(|| "–".to_owned(), |r| format!("{r:.2}"));
            // Writing to a String cannot fail.
            let _ = writeln!(page, "| {} | {} | {} | {ratio} | ≤ {:.2} | {} |", r.what, r.ours, r.against, r.target, r.verdict());
        }
        for (title, text) in &self.sections {
            let _ = write!(page, "\n## {title}\n\n{}\n", text.trim_end());
        }
        page
    }
}

/// A table in Markdown.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head.to_vec()) + &line(vec!["---"; head.len()]);
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

/// Puts the measured part into the page, and leaves what people wrote around it.
///
/// # Errors
/// When the file cannot be written, or holds only one of the two marks.
pub fn write(path: &Path, measured: &str) -> Result<()> {
    let before = fs::read_to_string(path).unwrap_or_else(|_| format!("# Performance\n\n{BEGIN}\n{END}\n"));
    fs::write(path, replaced(&before, measured)?).with_context(|| format!("{} cannot be written", path.display()))
}

fn replaced(page: &str, measured: &str) -> Result<String> {
    match (page.find(BEGIN), page.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            Ok(format!("{}\n\n{}\n\n{}", &page[..begin + BEGIN.len()], measured.trim(), &page[end..]))
        }
        _ => bail!("the page has no {BEGIN} followed by {END}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays() {
        let page = format!("# P\n\nwhy\n\n{BEGIN}\nold\n{END}\n\nnotes\n");
        let once = replaced(&page, "new\n").expect("has both marks");
        assert_eq!(once, format!("# P\n\nwhy\n\n{BEGIN}\n\nnew\n\n{END}\n\nnotes\n"));
        assert_eq!(replaced(&once, "new").expect("still has them"), once);
        assert!(replaced("# P", "new").is_err());
    }

    #[test]
    fn a_ratio_is_judged_by_its_target() {
        let verdict = |ours, against| Ratio::of("x", ours, against, "µs", 1.7).verdict();
        assert_eq!(verdict(Some(17.0), Some(10.0)), "reached");
        assert_eq!(verdict(Some(17.1), Some(10.0)), "missed");
        assert_eq!(verdict(Some(17.1), None), "not measured");
        assert_eq!(verdict(Some(17.1), Some(0.0)), "not measured");
    }

    #[test]
    fn a_table_has_a_line_under_its_head() {
        assert_eq!(table(&["a", "b"], &[vec!["1".into(), "2".into()]]), "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
    }
}
