//! The published MCP server, unchanged, over stdio: its tools do a handoff over two replicas.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::balancer::Balancer;
use crate::support::fleet::Fleet;

/// Runs a part of mcp_tools.py against one address in front of two replicas.
pub async fn run(part: &str) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = repository.join(".venv/bin/python");
    assert!(python.exists(), "{} is not there: run `make test`, or scripts/install-python.sh alone", python.display());

    let fleet = Fleet::start(2).await;
    let base = Balancer::start(&fleet).await;
    let run = tokio::process::Command::new(python)
        .arg(repository.join("tests/sdk/mcp_tools.py"))
        .args([base.url(), part])
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(Duration::from_secs(90), run).await.expect("mcp_tools.py did not end").unwrap();
    assert!(
        run.status.success(),
        "mcp_tools.py {part} failed: {}\n{}{}",
        run.status,
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(base.connections() > 5, "it spoke to the replicas in turn");
    fleet.finish().await;
}

#[tokio::test]
async fn the_published_mcp_server_does_a_handoff_over_two_replicas() {
    run("handoff").await;
}
