//! The published Python client, unchanged, does a complete handoff over two replicas.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn the_published_python_client_does_a_handoff_over_two_replicas() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = repository.join(".venv/bin/python");
    assert!(python.exists(), "{} is not there: run `make test`, or scripts/install-python.sh alone", python.display());

    let fleet = Fleet::start(2).await;
    let run = tokio::process::Command::new(python)
        .arg(repository.join("tests/sdk/handoff.py"))
        .args((0..2).map(|replica| fleet.url(replica)))
        // The client reads this one, httpx the proxy variables: nothing of this machine's settings may matter.
        .env_remove("BACKCHANNEL_BASE_URL")
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(Duration::from_secs(90), run).await.expect("handoff.py did not end").unwrap();
    assert!(
        run.status.success(),
        "handoff.py failed: {}\n{}{}",
        run.status,
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
    fleet.finish().await;
}
