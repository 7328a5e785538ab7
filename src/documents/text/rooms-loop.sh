# Follows a room and prints one line for each event. Source a session file first, then this; it goes on until the room ends.

_agentalk_say_line() {
  printf 'agentalk: %s\n' "$1"
  (umask 077; printf 'agentalk: %s\n' "$1" >> "/tmp/agentalk-events-$CHANNEL_ID-$MY_NAME.log")
}

# A name as it may stand in a line: without control characters, blanks, and what else breaks or turns lines.
_agentalk_plain() { printf '%s' "$1" | jq -Rrsj 'gsub("[\\p{Cc}\\p{Cf}\\p{Z}]"; "")'; }

# Announces us, however long the service is in trouble. 1: it refuses.
_agentalk_hello() {
  local sent
  if [ -z "${MY_CHALL:-}" ]; then return 0; fi
  while :; do
    sent=0
    agentalk_send "$(jq -nc --arg c "$MY_CHALL" '{hello: $c}')" >/dev/null 2>&1 || sent=$?
    if [ "$sent" -ne 2 ]; then return "$sent"; fi
    sleep 30
  done
}

# What somebody said: to a file of its own, and a line that leads there.
_agentalk_show() { # kind name index text more
  local file preview bytes
  file="/tmp/agentalk-msg-$CHANNEL_ID-$MY_NAME-$3.txt"
  rm -f "$file"
  (umask 077; printf '%s' "$4" > "$file")
  bytes=$(wc -c < "$file" | tr -d ' ')
  preview=$(printf '%s' "$4" | jq -Rrs '.[0:120] | gsub("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]"; " ")')
  _agentalk_say_line "$1 from=$(_agentalk_plain "$2")${5:+ $5} bytes=$bytes file=$file preview=$preview"
}

# People write in bursts: what is held back is shown as one.
_agentalk_flush() {
  if [ "$_agentalk_held" -eq 0 ]; then return 0; fi
  _agentalk_show "$_agentalk_held_kind" "$_agentalk_held_from" "$_agentalk_held_index" "$_agentalk_held_text" "human=1 msgs=$_agentalk_held"
  _agentalk_held=0
}

_agentalk_hold() { # kind name index text
  if [ "$_agentalk_held" -gt 0 ] && [ "$_agentalk_held_kind:$_agentalk_held_from" != "$1:$2" ]; then _agentalk_flush; fi
  if [ "$_agentalk_held" -eq 0 ]; then
    _agentalk_held_since=$(date +%s); _agentalk_held_text="$4"
  else
    _agentalk_held_text=$(printf '%s\n%s' "$_agentalk_held_text" "$4")
  fi
  _agentalk_held=$((_agentalk_held + 1)); _agentalk_held_kind="$1"; _agentalk_held_from="$2"; _agentalk_held_index="$3"
}

_agentalk_sealed() { # from index text
  local plain what body human resumed
  plain=$(agentalk_decrypt "$CHANNEL_ID:$1" "$3" && printf x) || { _agentalk_say_line "DECRYPT_FAIL from=$(_agentalk_plain "$1")"; return 0; }
  plain="${plain%x}"
  # What it is; what later clients may say besides is passed over.
  what=$(printf '%s' "$plain" | jq -r --arg me "$MY_NAME" --arg challenge "${MY_CHALL:-}" '
    (.to | if type == "string" and . != "" then . else null end) as $to
    | if type != "object" then error
      elif (.hello | type) == "string" then "hello \(if .human == true then 1 else 0 end) \(if .resumed == true then 1 else 0 end)"
      elif $to != null and $to != $me then "other"
      elif (.welcome | type) == "string" then if .welcome == $challenge then "welcome" else "other" end
      elif (.text | type) != "string" then "other"
      elif $to != null then "DM"
      else "BROADCAST" end' 2>/dev/null) || what=
  case "$what" in
    '') _agentalk_say_line "DECRYPT_FAIL from=$(_agentalk_plain "$1")" ;;
    hello*)
      resumed="${what##* }"; human="${what#hello }"; human="${human%% *}"
      agentalk_send "$(printf '%s' "$plain" | jq -c --arg to "$1" '{welcome: .hello, to: $to}')" >/dev/null || return 0
      if [ "$human" = 1 ]; then
        _agentalk_humans="$_agentalk_humans$(_agentalk_plain "$1")|"
        _agentalk_say_line "HUMAN_JOINED name=$(_agentalk_plain "$1") resumed=$resumed"
      else
        _agentalk_say_line "WELCOMED $(_agentalk_plain "$1")"
      fi ;;
    welcome) _agentalk_say_line "PAIRED with $(_agentalk_plain "$1")" ;;
    DM|BROADCAST)
      # A shell cannot hold a NUL.
      body=$(printf '%s' "$plain" | jq -j '.text | explode | map(select(. != 0)) | implode'; printf x)
      body="${body%x}"
      case "$_agentalk_humans" in
        *"|$(_agentalk_plain "$1")|"*) _agentalk_hold "$what" "$1" "$2" "$body" ;;
        *) _agentalk_flush; _agentalk_show "$what" "$1" "$2" "$body" '' ;;
      esac ;;
  esac
}

# Who was not seen for two minutes, and who is back.
_agentalk_roster() {
  local name unseen
  while IFS=' ' read -r unseen name; do
    if [ -z "$name" ] || [ "$name" = "$(_agentalk_plain "$MY_NAME")" ]; then continue; fi
    case "$_agentalk_stale" in
      *"|$name|"*) if [ "$unseen" -lt 120 ]; then
          _agentalk_stale=$(printf '%s' "$_agentalk_stale" | jq -Rrs --arg n "|$name|" 'split($n) | join("|")')
          _agentalk_say_line "PEER_BACK name=$name"
        fi ;;
      *) if [ "$unseen" -ge 120 ]; then
          _agentalk_stale="$_agentalk_stale$name|"
          _agentalk_say_line "PEER_STALE name=$name unseen=${unseen}s"
        fi ;;
    esac
  done <<AGENTALK_ROSTER
$(jq -r '.roster[]? | "\(.last_seen_s) \(.name | gsub("[\\p{Cc}\\p{Cf}\\p{Z}]"; ""))"' "$1" 2>/dev/null)
AGENTALK_ROSTER
}

# A page: each entry once, also where the page begins again because the service lost its newest data, or because we joined again. 1: the room has
# ended.
_agentalk_page() {
  local n kind index stamp from reason
  n=0
  jq -r '.messages[] | "\(.type) \(.index) \(.timestamp)"' "$1" > "$1.list"
  while IFS=' ' read -r kind index stamp; do
    if [ "$kind" = system ]; then
      _agentalk_flush
      reason=$(jq -r --argjson n "$n" '.messages[$n].reason // "channel_gone"' "$1")
      _agentalk_say_line "SYSTEM $(_agentalk_plain "$reason")"
      return 1
    fi
    from=$(jq -r --argjson n "$n" '.messages[$n].from // empty' "$1")
    if [ "$from" != "$MY_NAME" ] && ! grep -qxF "$index $stamp" "$_agentalk_seen_file" 2>/dev/null; then
      case "$kind" in
        message) _agentalk_sealed "$from" "$index" "$(jq -r --argjson n "$n" '.messages[$n].text' "$1")" ;;
        leave) _agentalk_flush; _agentalk_say_line "PEER_LEFT name=$(_agentalk_plain "$from")" ;;
      esac
    fi
    n=$((n + 1))
    # One that was handled is not handled again after a restart of this loop.
    printf '%s %s\n' "$index" "$stamp" >> "$_agentalk_seen_file"
    printf '%s\n' "$((index + 1))" > "$_agentalk_cursor_file"
  done < "$1.list"
  _agentalk_roster "$1"
  jq -r '.cursor' "$1" > "$_agentalk_cursor_file.new" && mv "$_agentalk_cursor_file.new" "$_agentalk_cursor_file"
}

# Into the room again, from its beginning. 1: not possible.
_agentalk_again() {
  local pause
  pause=2
  while :; do
    agentalk_rejoin && break
    if [ "$?" -ne 2 ]; then _agentalk_say_line 'SYSTEM rejoin_failed'; return 1; fi
    sleep "$pause"
    if [ "$pause" -lt 32 ]; then pause=$((pause * 2)); fi
  done
  if [ -z "${MY_CHALL:-}" ]; then MY_CHALL=$(_agentalk_random_hex 8); fi
  _agentalk_hello || { _agentalk_say_line 'SYSTEM hello_send_failed'; return 1; }
}

_agentalk_loop() {
  local page code since pause most wait began
  _agentalk_seen_file="/tmp/agentalk-$CHANNEL_ID-$MY_NAME.seen"
  _agentalk_held=0; _agentalk_humans='|'; _agentalk_stale='|'
  page=$(mktemp "${TMPDIR:-/tmp}/agentalk-page.XXXXXX") || return 1
  pause=2
  if [ ! -f "$_agentalk_cursor_file" ]; then
    _agentalk_hello || { _agentalk_say_line 'SYSTEM hello_send_failed'; rm -f "$page"; return 1; }
  fi
  while :; do
    since=$(cat "$_agentalk_cursor_file" 2>/dev/null || printf 0)
    most=70
    if [ "$_agentalk_held" -gt 0 ]; then
      most=3
      if [ $(($(date +%s) - _agentalk_held_since)) -ge 12 ]; then _agentalk_flush; most=70; fi
    fi
    _agentalk_participant
    began=$(date +%s)
    # By way of a file of settings, since others on this machine can see a command line.
    code=$(printf 'url = "%s/channels/%s/poll?token=%s&participant_id=%s&since=%s&roster=1"\n' "$BRIDGE_URL" "$CHANNEL_ID" "$TOKEN" "$PARTICIPANT_ID" "$since" \
      | curl -sS --connect-timeout 10 --max-time "$most" -K - -D "$page.head" -o "$page" -w '%{http_code}' 2>/dev/null) || code=000
    if [ "$code" = 000 ] && [ "$_agentalk_held" -gt 0 ]; then _agentalk_flush; continue; fi
    # A proxy or a portal that answers in place of the service says nothing about the room.
    case "$code" in 200|400|404)
      jq -e '(.messages | type == "array") or (.error | type == "string")' "$page" >/dev/null 2>&1 || code=000 ;;
    esac
    case "$code" in
      200)
        pause=2
        _agentalk_page "$page" || break
        # A service that does not hold polls is not asked in a tight loop.
        if [ "$(jq -r '.messages | length' "$page")" = 0 ] && [ $(($(date +%s) - began)) -lt 2 ]; then sleep 2; fi ;;
      204)
        pause=2
        _agentalk_flush
        if [ $(($(date +%s) - began)) -lt 2 ]; then sleep 2; fi ;;
      404)
        _agentalk_flush
        if [ "$(jq -r '.hibernating // false' "$page" 2>/dev/null)" = true ]; then
          _agentalk_again || break
        else
          _agentalk_say_line "SYSTEM $(_agentalk_plain "$(jq -r '.evicted_reason // "channel_gone"' "$page" 2>/dev/null)")"
          break
        fi ;;
      400)
        _agentalk_flush
        # The room slept, and somebody else woke it.
        if [ "$(jq -r '.error // empty' "$page" 2>/dev/null)" = participant_not_in_channel ]; then
          _agentalk_again || break
        else
          _agentalk_say_line 'SYSTEM bad_request'
          break
        fi ;;
      *)
        _agentalk_flush
        wait=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]\{1,4\}\).*/\1/p' "$page.head" 2>/dev/null | tail -n 1)
        if [ -z "$wait" ] || [ "$wait" -lt "$pause" ]; then wait="$pause"; fi
        sleep "$wait"
        if [ "$pause" -lt 32 ]; then pause=$((pause * 2)); fi ;;
    esac
  done
  rm -f "$page" "$page.head" "$page.list"
}
_agentalk_loop
