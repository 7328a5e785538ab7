//! What `helm test` runs in a cluster does its handoff over a replica here.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn the_script_of_helm_test_does_a_handoff() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/backchannel/files/handoff.sh");
    let fleet = Fleet::start(1).await;
    let run = tokio::process::Command::new("sh")
        .arg(script)
        .env("BASE", fleet.url(0))
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(Duration::from_secs(60), run).await.expect("handoff.sh did not end").unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.starts_with("handed over: msg_"),
        "handoff.sh: {}\n{said}{}",
        run.status,
        String::from_utf8_lossy(&run.stderr)
    );
    fleet.finish().await;
}
