_agentalk_fail() { printf 'ERROR: agentalk bootstrap ({{ role }}): %s\n' "$1" >&2; return 1; }

_agentalk_need() {
  local tool
  for tool in curl jq od sed; do
    command -v "$tool" >/dev/null 2>&1 || { _agentalk_fail "$tool is not installed"; return 1; }
  done
  command -v node >/dev/null 2>&1 || command -v python3 >/dev/null 2>&1 || { _agentalk_fail 'neither node nor python3 is installed; one of them is needed for AES-256-GCM'; return 1; }
}

# The name of this directory, as it may stand in file names.
_agentalk_own_name() {
  local name
  name=$(printf '%s' "$(basename "$PWD")" | LC_ALL=C tr -cd 'a-zA-Z0-9._-' | cut -c 1-60)
  printf '%s' "${name:-agent}"
}

# Writes what later shells source: the session's variables, then the helpers.
_agentalk_write_session() {
  _agentalk_file="/tmp/agentalk-session-$CHANNEL_ID-$MY_NAME.env"
  rm -f "$_agentalk_file"
  (
    umask 077
    {
      printf "BRIDGE_URL='%s'\nCHANNEL_ID='%s'\nTOKEN='%s'\nPARTICIPANT_ID='%s'\n" "$BRIDGE_URL" "$CHANNEL_ID" "$TOKEN" "$PARTICIPANT_ID"
      printf "MY_NAME='%s'\nCHANNEL_KEY='%s'\n" "$MY_NAME" "$CHANNEL_KEY"
      if [ -n "${MY_CHALL:-}" ]; then printf "MY_CHALL='%s'\n" "$MY_CHALL"; fi
      printf '%s\n' "$_agentalk_helpers"
    } > "$_agentalk_file"
  ) || { _agentalk_fail "cannot write $_agentalk_file"; return 1; }
  rm -f "/tmp/agentalk-$CHANNEL_ID-$MY_NAME.cursor" "/tmp/agentalk-$CHANNEL_ID-$MY_NAME.seen"
}

_agentalk_next() {
  printf '%s\n' "$1 In a background task that shows you each line it prints, run: . $_agentalk_file && eval \"\$(curl -fsS $BRIDGE_URL/loop.sh)\""
  printf '%s\n' "$2 To talk, in any shell: . $_agentalk_file && agentalk_say 'text'   (one peer only: agentalk_dm NAME 'text'; a file: agentalk_say_file PATH)"
}
