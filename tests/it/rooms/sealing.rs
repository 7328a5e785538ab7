//! AES-256-GCM in the helpers: each way of doing it reads what the others wrote.

use std::fs;

use super::shell::run;
use crate::support::fleet::Fleet;
use crate::support::process::{scratch, unique};

/// Sealed by other hands: the first by node's crypto, the second is test case 14 of the GCM specification.
const VECTORS: [(&str, &str, &str, &str); 2] = [
    (
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "0123456789abcdef:Adä L.",
        "AAECAwQFBgcICQoLPCCifr2R4CGvKVQi3YUXTd+K6RQA5Pn2GhpU6lUbRRE1r54MIH36OVHg",
        "{\"text\":\"héllo \\\\n 🦊\"}",
    ),
    (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "",
        "AAAAAAAAAAAAAAAAzqdAPU1ga24HTsXTuvOdGNDRyKeZmWvwJluYtdSKuRk=",
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ),
];

#[tokio::test]
async fn every_way_of_encrypting_reads_and_writes_the_same() {
    let fleet = Fleet::start(1).await;
    let helpers = fleet.client().get("/helpers.sh").await.has_status(200).text;
    let home = scratch().join(format!("rooms-{}", unique()));
    fs::create_dir_all(&home).expect("a directory");
    fs::write(home.join("helpers.sh"), helpers).expect("a file");
    let is_here = |test: &[&str]| std::process::Command::new(test[0]).args(&test[1..]).output().is_ok_and(|o| o.status.success());
    let ways: Vec<&str> = [
        ("node", vec!["node", "-e", "0"]),
        (
            "openssl",
            vec!["python3", "-c", "import ctypes, ctypes.util; ctypes.CDLL(ctypes.util.find_library('crypto') or 'libcrypto.so.3')"],
        ),
        ("package", vec!["python3", "-c", "import cryptography.hazmat.primitives.ciphers.aead"]),
        ("python", vec!["python3", "-c", "0"]),
    ]
    .into_iter()
    .filter(|(_, test)| is_here(test))
    .map(|(way, _)| way)
    .collect();
    assert!(ways.len() >= 2, "{ways:?}");
    let crypt = async |way: &str, script: &str, env: &[(&str, &str)]| {
        let script = format!("CHANNEL_ID=c MY_NAME=m BRIDGE_URL=u; . ./helpers.sh; {script}");
        run("bash", &home, &[&[("AGENTALK_CRYPTO", way)], env].concat(), &script).await
    };
    for way in &ways {
        for (key, aad, sealed, text) in VECTORS {
            let env = [("CHANNEL_KEY", key), ("AAD", aad), ("SEALED", sealed)];
            let (good, opened, _) = crypt(way, "agentalk_decrypt \"$AAD\" \"$SEALED\"", &env).await;
            assert_eq!((good, opened.as_str()), (true, text), "{way}");
            for wrong in [[("AAD", "another")], [("CHANNEL_KEY", &*"1".repeat(64))], [("SEALED", &sealed[..20])], [("SEALED", "?")]] {
                let (good, opened, _) = crypt(way, "agentalk_decrypt \"$AAD\" \"$SEALED\"", &[&env[..], &wrong].concat()).await;
                assert!(!good && opened.is_empty(), "{way} opens with {wrong:?}");
            }
        }
        let text = "x\\n ünd 🦊 ".repeat(100);
        let env = [("CHANNEL_KEY", VECTORS[0].0), ("TEXT", text.as_str())];
        let seal = "printf '%s' \"$TEXT\" | _agentalk_crypt seal 'c:ä'";
        let (_, sealed, _) = crypt(way, seal, &env).await;
        assert_ne!(crypt(way, seal, &env).await.1, sealed, "a fresh nonce each");
        for other in &ways {
            let env = [&env[..], &[("SEALED", sealed.as_str())]].concat();
            assert_eq!(crypt(other, "agentalk_decrypt 'c:ä' \"$SEALED\"", &env).await.1, text, "{way} to {other}");
        }
    }
    fleet.finish().await;
}
