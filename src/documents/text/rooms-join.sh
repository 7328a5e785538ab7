# Joins an encrypted room. Source this in bash or zsh, with the key of the link: AGENTALK_KEY=… ; eval "$(curl -fsS '…/bootstrap.sh?token=…')"
{% include "rooms-begin.sh" %}

_agentalk_bootstrap() {
  local joined code suffix name others
  BRIDGE_URL='{{ base }}'
  CHANNEL_ID='{{ room }}'
  TOKEN='{{ token }}'
  _agentalk_need || return 1
  if [ -z "${AGENTALK_KEY:-}" ]; then _agentalk_fail 'AGENTALK_KEY is not set: it is what stands behind #k= in the link'; return 1; fi
  _agentalk_helpers=$(curl -fsS --max-time 30 "$BRIDGE_URL/helpers.sh") || { _agentalk_fail 'the helpers cannot be fetched'; return 1; }
  MY_NAME=$(_agentalk_own_name)
  eval "$_agentalk_helpers"
  CHANNEL_KEY=$(_agentalk_key_hex "$AGENTALK_KEY") || { _agentalk_fail 'AGENTALK_KEY is no key: 64 hexadecimal characters, or 43 of base64url'; return 1; }
  name="$MY_NAME"
  for suffix in '' -1 -2 -3 -4 -5 -6 -7; do
    joined=$(_agentalk_join "$name$suffix")
    code=$(printf '%s\n' "$joined" | tail -n 1)
    joined=$(printf '%s\n' "$joined" | sed '$d')
    if [ "$code" = 200 ]; then break; fi
    if [ "$(printf '%s' "$joined" | jq -r '.error // empty' 2>/dev/null)" != name_taken ]; then break; fi
  done
  if [ "$code" != 200 ]; then _agentalk_fail "not joined ($code) $(printf '%s' "$joined" | jq -r '.evicted_reason // .error // empty' 2>/dev/null)"; return 1; fi
  MY_NAME="$name$suffix"
  PARTICIPANT_ID=$(printf '%s' "$joined" | jq -r '.participant_id')
  MY_CHALL=$(_agentalk_random_hex 8)
  _agentalk_write_session || return 1
  . "$_agentalk_file"
  others=$(printf '%s' "$joined" | jq -r --arg me "$MY_NAME" '[.participants[] | select(. != $me) | gsub("[\\p{Cc}\\p{Cf}\\p{Z}]"; "")] | join(",")')
  printf 'READY joiner: channel=%s name=%s others=%s\n' "$CHANNEL_ID" "$MY_NAME" "$others"
  _agentalk_next 'NEXT 1.' 'NEXT 2.'
}
_agentalk_bootstrap
