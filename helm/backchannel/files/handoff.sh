#!/bin/sh
# A handoff over the API at $BASE: a key, a channel, a message, one claim that wins, one that loses, an ack. Ends with 0 if all went so.
# With $ADMIN_TOKEN the operator issues the key, else it is minted as anybody would.
set -eu
label="helm-test-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')"

# call METHOD PATH BODY STATUS: prints the answer; ends the test if its status is another.
call() {
  answer=$(curl -sS --max-time 20 -w '\n%{http_code}' -X "$1" "$BASE$2" -H 'Content-Type: application/json' -H "X-API-Key: ${KEY:-}" -H "X-Admin-Token: ${ADMIN_TOKEN:-}" ${3:+-d "$3"})
  status=${answer##*
}
  if [ "$status" != "$4" ]; then
    echo "$1 $2 answered $status, not $4: ${answer%
*}" >&2
    exit 1
  fi
  printf '%s' "${answer%
*}"
}
# field NAME: the text of the first field of this name in the answer on standard input.
field() { grep -o "\"$1\": *\"[^\"]*\"" | head -n 1 | sed 's/.*"\([^"]*\)"$/\1/'; }

if [ -n "${ADMIN_TOKEN:-}" ]; then minting=/v1/admin/keys; else minting=/v1/keys; fi
issued=$(call POST "$minting" "{\"agent_label\":\"$label\"}" 201)
KEY=$(printf '%s' "$issued" | field key)
unset ADMIN_TOKEN
channel=$(call POST /v1/channels "{\"name\":\"$label\",\"mode\":\"claimable\",\"access\":\"restricted\"}" 201 | field id)
message=$(call POST "/v1/channels/$channel/messages" '{"content":"hello"}' 201 | field id)
call POST "/v1/messages/$message/claim" '{"actor":"first"}' 200 >/dev/null
call POST "/v1/messages/$message/claim" '{"actor":"second"}' 409 >/dev/null
call POST "/v1/messages/$message/ack" '{"actor":"first"}' 200 >/dev/null
call DELETE "/v1/channels/$channel" '' 204 >/dev/null
call DELETE /v1/keys/me '' 200 >/dev/null
echo "handed over: $message"
