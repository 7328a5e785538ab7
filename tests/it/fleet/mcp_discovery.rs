//! The published MCP server finds channels and asks to be let in.

use super::mcp;

#[tokio::test]
async fn the_published_mcp_server_lists_channels_and_requests_access() {
    mcp::run("discovery").await;
}
