//! The README's first screen does what it says: the four lines hand a task over, also the second time.

use std::process::Stdio;

use backchannel::commands::four_curl_lines;

use crate::support::fleet::Fleet;

#[test]
fn the_readme_shows_the_lines_that_dev_prints() {
    let readme = include_str!("../../../README.md");
    let lines = four_curl_lines("http://127.0.0.1:8080");
    assert_eq!(lines.trim().lines().count(), 4, "{lines}");
    assert!(readme.contains(lines.trim()), "README.md shows other lines than:\n{lines}");
}

#[tokio::test]
async fn the_four_lines_hand_a_task_over_each_time_they_are_pasted() {
    let fleet = Fleet::start(2).await;
    for round in 0..2 {
        let run = tokio::process::Command::new("bash")
            .args(["-euc", &four_curl_lines(fleet.url(round).trim_end_matches('/'))])
            .env("NO_PROXY", "*")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("bash runs");
        let shown = String::from_utf8_lossy(&run.stdout);
        let claim = &shown[shown.find(r#"{"claimed":"#).unwrap_or_else(|| panic!("no claim in round {round}: {shown}"))..];
        let claim: serde_json::Value = serde_json::from_str(claim).expect("the claim is the last answer");
        assert_eq!(claim["claimed"]["content"], "Summarise the report", "{claim}");
        assert_eq!((&claim["claimed"]["state"], &claim["attempt"]), (&"claimed".into(), &1.into()), "{claim}");
        assert!(claim["lease_token"].as_str().is_some_and(|token| token.starts_with("lease_")), "{claim}");
    }
    fleet.finish().await;
}
