//! The table of scopes in docs/security.md has the rows of the router, each once.

use std::collections::BTreeSet;

use backchannel::operation::{Auth, Operation};
use backchannel::router::operations;

/// The rows follow.
const FROM: &str = "| operation | call | scope |\n| --- | --- | --- |\n";

fn rows() -> BTreeSet<String> {
    let row = |operation: &Operation| {
        let scope = match operation.auth {
            Auth::Public => "none, public".to_owned(),
            Auth::Key(None) => "any key".to_owned(),
            Auth::Key(Some(scope)) => format!("`{}`", scope.word()),
            Auth::Admin => "the operator's `X-Admin-Token`".to_owned(),
        };
        format!("| {} | `{} {}` | {scope} |", operation.id, operation.method, operation.path)
    };
    operations().into_iter().map(row).collect()
}

#[test]
fn the_page_on_security_has_each_operation_with_the_scope_it_asks_for() {
    let page = include_str!("../../../docs/security.md");
    let (_, rest) = page.split_once(FROM).expect("docs/security.md has the table of scopes");
    let written: Vec<String> = rest.lines().take_while(|line| line.starts_with('|')).map(str::to_owned).collect();
    let (expected, found) = (rows(), written.iter().cloned().collect::<BTreeSet<_>>());
    let missing: Vec<_> = expected.difference(&found).cloned().collect();
    let wrong: Vec<_> = found.difference(&expected).cloned().collect();
    assert!(missing.is_empty() && wrong.is_empty(), "add to docs/security.md:\n{}\nremove:\n{}", missing.join("\n"), wrong.join("\n"));
    assert_eq!(written.len(), expected.len(), "no row twice");
}
