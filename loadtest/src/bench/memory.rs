//! Memory of Redis per message: open, held under a lease, acknowledged.

use anyhow::Result;

use super::Bench;
use super::report::table;
use crate::api::CONTENT_BYTES;
use crate::drive::Window;
use crate::scenarios;

const MESSAGES: u64 = 10_000;

impl Bench {
    pub(super) async fn memory(&mut self) -> Result<()> {
        let target = self.target(self.connections()).await?;
        let channels = target.channels("claimable", 1).await?;
        // The keys of the load are in use, their records written.
        target.fill(&channels, 64).await?;
        let mut rows = Vec::new();
        let empty = self.asking.used_memory().await?;

        let messages = target.fill(&channels, MESSAGES).await?;
        rows.push(self.row("open", &channels[0], empty).await?);
        let open = self.asking.used_memory().await?;
        // The 64 of the start are claimed with them.
        scenarios::claim_next(&target, &channels, MESSAGES + 64, Window::whole(), &[]).await?;
        rows.push(self.row("held under a lease, on top of that", &channels[0], open).await?);
        drop(messages);

        let acked = target.channels("claimable", 1).await?;
        let before = self.asking.used_memory().await?;
        let messages = target.fill(&acked, MESSAGES).await?;
        scenarios::claims(&target, &messages, Window::whole(), &[]).await?;
        scenarios::acks(&target, &messages, Window::whole(), &[]).await?;
        rows.push(self.row("claimed and acknowledged, all of it", &acked[0], before).await?);

        let head = ["message", "bytes of used_memory each", "log", "open", "claims", "leases"];
        let text = format!(
            "{}\n{MESSAGES} messages of {CONTENT_BYTES} bytes in one channel; the keys by MEMORY USAGE. log: the stream, where a message is its content, \
             who posted it (about 70 bytes) and the packing. open: the index of what can be claimed. claims: the record of each claim (holder, \
             key, secret of the lease, times, acks), which stays until its message goes. leases: the index of running leases.",
            table(&head, &rows)
        );
        self.report.section("Memory of Redis", text);
        Ok(())
    }

    async fn row(&mut self, what: &str, channel: &str, before: u64) -> Result<Vec<String>> {
        let each = |bytes: u64| format!("{:.0}", bytes as f64 / MESSAGES as f64);
        let mut row = vec![what.to_owned(), each(self.asking.used_memory().await?.saturating_sub(before))];
        for key in ["log", "open", "claims", "leases"] {
            let bytes: Option<u64> = self.asking.run(&["MEMORY", "USAGE", &format!("bc:{{{channel}}}:{key}"), "SAMPLES", "0"]).await?;
            row.push(each(bytes.unwrap_or(0)));
        }
        Ok(row)
    }
}
