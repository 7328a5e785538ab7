//! What decides about a failover: sentinels, or the nodes of a cluster.

use std::collections::HashMap;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::cmd;

use super::Chart;
use super::facts::{Facts, refused};
use crate::store::nodes::{Nodes, Range, SLOTS};
use crate::store::target::{Kind, RedisTarget};

const SENTINELS: usize = 3;
const DOWN_AFTER_MS: u64 = 30_000;
const CLOCKS_APART_S: f64 = 1.0;

/// Each sentinel: there, and of one mind with enough others.
pub(super) async fn check_sentinels(chart: &mut Chart<'_>, nodes: &Nodes, target: &RedisTarget) {
    let Kind::Sentinel { service, .. } = target.kind() else { return };
    let sentinels = nodes.sentinels().await;
    for sentinel in sentinels {
        chart.at = format!("sentinel {}", sentinel.address);
        match sentinel.connection {
            Ok(mut connection) => sentinel_says(chart, &mut connection, service).await,
            Err(e) => chart.warn("sentinel", format!("no connection: {e}"), "start it, or take it out of BACKCHANNEL_REDIS_URL"),
        }
    }
}

async fn sentinel_says(chart: &mut Chart<'_>, connection: &mut MultiplexedConnection, service: &str) {
    let about = cmd("SENTINEL").arg("MASTER").arg(service).query_async::<HashMap<String, String>>(connection).await;
    let about = match about {
        Ok(about) => about,
        Err(e) if e.code() == Some("NOPERM") => return chart.unknown("sentinel", &refused("SENTINEL MASTER", &e)),
        Err(e) => {
            let is = format!("it does not know {service}: {e}");
            return chart.fail("sentinel", is, format!("SENTINEL MONITOR {service} HOST PORT QUORUM, or the right sentinelServiceName"));
        }
    };
    let number = |name: &str| about.get(name).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let all = number("num-other-sentinels") as usize + 1;
    let (quorum, down_after) = (number("quorum"), number("down-after-milliseconds"));
    let is = format!("{all} sentinels, quorum {quorum}, down after {down_after} ms, {} replicas", number("num-slaves"));
    if let Err(e) = cmd("SENTINEL").arg("CKQUORUM").arg(service).query_async::<String>(connection).await
        && e.code() == Some("NOQUORUM")
    {
        return chart.fail("sentinel", format!("{is}: too few of them are there to agree on a failover"), "start the others");
    }
    if all < SENTINELS {
        chart.warn("sentinel", is, "run three sentinels, on three machines: fewer cannot outvote one that is cut off");
    } else if down_after > DOWN_AFTER_MS {
        chart.warn("sentinel", is, format!("SENTINEL SET {service} down-after-milliseconds 5000"));
    } else if number("num-slaves") == 0 {
        chart.warn("sentinel", format!("{is}: there is nobody to fail over to"), "add a replica");
    } else {
        chart.ok("sentinel", is);
    }
}

/// A node of a cluster: what it does when others are lost.
pub(super) fn check_node(chart: &mut Chart<'_>, facts: &Facts) {
    let is_cluster = facts.info("cluster_enabled") == Ok("1");
    if is_cluster != matches!(chart.settings.redis_url.kind(), Kind::Cluster(_)) {
        let (is, scheme) = if is_cluster { ("it is a node of a cluster", "redis-cluster://") } else { ("it is no cluster", "redis://") };
        return chart.fail("cluster", is, format!("begin BACKCHANNEL_REDIS_URL with {scheme}"));
    }
    if is_cluster {
        super::server::setting(chart, facts, "cluster-require-full-coverage", |value| {
            (value == "yes").then(|| ("when one part of the slots is lost, all others refuse too", "no".to_owned()))
        });
    }
}

/// The cluster as a whole: every slot is served, every range can be taken over, the clocks agree.
pub(super) async fn check_cluster(chart: &mut Chart<'_>, nodes: &Nodes, clocks: &[f64]) {
    let ranges = match nodes.coverage().await {
        Ok(Some(ranges)) => ranges,
        Ok(None) => return,
        Err(e) => return chart.fail("slots", format!("no node tells: {e}"), "check BACKCHANNEL_REDIS_URL"),
    };
    let served: usize = ranges.iter().map(|range| range.last + 1 - range.first).sum();
    if served < SLOTS {
        chart.fail("slots", format!("{served} of {SLOTS} are served"), "redis-cli --cluster fix HOST:PORT");
    } else if let Some(alone) = ranges.iter().find(|range: &&Range| range.replicas() == 0) {
        let is = format!("all are served, and {} to {} by one server only", alone.first, alone.last);
        chart.warn("slots", is, "redis-cli --cluster add-node NEW:PORT HOST:PORT --cluster-slave");
    } else {
        chart.ok("slots", "all are served, each by a primary and a replica at least");
    }
    let (first, last) = clocks.iter().fold((f64::MAX, f64::MIN), |(low, high), clock| (low.min(*clock), high.max(*clock)));
    if last - first > CLOCKS_APART_S {
        chart.warn("clocks", format!("{:.1} s apart", last - first), "run NTP on all nodes: leases and cursors go by their clocks");
    }
}
