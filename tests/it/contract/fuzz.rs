//! Schemathesis makes requests out of our own document, valid and broken ones, and holds each answer against it: no 5xx, no status, body or
//! header that the document does not have. `schemathesis.toml` has its settings, with every exception and its reason.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::balancer::Balancer;
use crate::support::fleet::Fleet;

/// So many examples, whatever the time; beyond this something hangs.
const LIMIT: Duration = Duration::from_secs(480);

#[tokio::test]
async fn requests_out_of_the_document_are_answered_as_the_document_says() {
    let fleet = Fleet::builder()
        .env("BACKCHANNEL_ADMIN_TOKEN", "operator")
        .env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "1")
        .env("BACKCHANNEL_SANDBOX", "true")
        .start()
        .await;
    let balancer = Balancer::start(&fleet).await;
    let (own, narrowed, revoked) = (fleet.agent("fuzzer").await, fleet.agent("narrowed").await, fleet.agent("revoked").await);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = tokio::process::Command::new(repository.join(".venv/bin/schemathesis"))
        .args(["--config-file", "tests/it/contract/schemathesis.toml", "--no-color", "run"])
        .arg(format!("{}/openapi.json", balancer.url()))
        .args(["--url", balancer.url()])
        .current_dir(repository)
        .env("API_KEY", &own.key)
        .env("KEY_TO_NARROW", &narrowed.key)
        .env("KEY_TO_REVOKE", &revoked.key)
        .env("ADMIN_TOKEN", "operator")
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, output).await.expect("it ends").expect("run `make test`, or scripts/install-python.sh alone");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    assert!(balancer.connections() > 1000, "{} requests only, over both replicas:\n{said}", balancer.connections());
    own.get("/v1/keys/me").await.ok(200);
    fleet.finish().await;
}
