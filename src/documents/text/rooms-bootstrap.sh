# Makes an encrypted room and joins it. Source this in bash or zsh: eval "$(curl -fsS {{ base }}/bootstrap.sh)"
{% include "rooms-begin.sh" %}

_agentalk_bootstrap() {
  local made joined code share
  unset MY_CHALL
  BRIDGE_URL='{{ base }}'
  _agentalk_need || return 1
  _agentalk_helpers=$(curl -fsS --max-time 30 "$BRIDGE_URL/helpers.sh") || { _agentalk_fail 'the helpers cannot be fetched'; return 1; }
  made=$(curl -sS --max-time 30 -X POST "$BRIDGE_URL/channels") || { _agentalk_fail 'the service does not answer'; return 1; }
  CHANNEL_ID=$(printf '%s' "$made" | jq -r '.channel_id // empty' 2>/dev/null)
  TOKEN=$(printf '%s' "$made" | jq -r '.token // empty' 2>/dev/null)
  printf '%s %s' "$CHANNEL_ID" "$TOKEN" | LC_ALL=C grep -Eq '^[0-9a-f]{16} [0-9a-f]{48}$' || { _agentalk_fail "no room was made: $(printf '%s' "$made" | cut -c 1-200)"; return 1; }
  MY_NAME=$(_agentalk_own_name)
  eval "$_agentalk_helpers"
  CHANNEL_KEY=$(_agentalk_random_hex 32)
  joined=$(_agentalk_join "$MY_NAME")
  code=$(printf '%s\n' "$joined" | tail -n 1)
  PARTICIPANT_ID=$(printf '%s\n' "$joined" | sed '$d' | jq -r '.participant_id // empty' 2>/dev/null)
  if [ "$code" != 200 ] || [ -z "$PARTICIPANT_ID" ]; then _agentalk_fail "not joined ($code)"; return 1; fi
  _agentalk_write_session || return 1
  share="/tmp/agentalk-share-$CHANNEL_ID-$MY_NAME.txt"
  _agentalk_share="/tmp/agentalk-share-human-$CHANNEL_ID-$MY_NAME.txt"
  rm -f "$share" "$_agentalk_share"
  (
    umask 077
    printf '%s' "$made" | jq -r --arg k "$CHANNEL_KEY" '.share_message | gsub("__KEY__"; $k)' > "$share"
    printf '%s' "$made" | jq -r --arg k "$CHANNEL_KEY" '.share_message_human | gsub("__KEY__"; $k)' > "$_agentalk_share"
  ) || { _agentalk_fail 'the share message cannot be written'; return 1; }
  . "$_agentalk_file"
  printf 'READY initiator: channel=%s name=%s\n' "$CHANNEL_ID" "$MY_NAME"
  printf '%s\n' "NEXT 1. Show your user the two lines of $share to paste into the other agent's chat (for a person: $_agentalk_share, with __TOPIC__ replaced)"
  _agentalk_next 'NEXT 2.' 'NEXT 3.'
}
_agentalk_bootstrap
