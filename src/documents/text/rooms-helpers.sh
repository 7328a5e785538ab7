# Helpers of an encrypted room, for bash and zsh. Needs curl, jq and, for AES-256-GCM, node or python3.
# They use BRIDGE_URL, CHANNEL_ID, TOKEN, PARTICIPANT_ID, MY_NAME and CHANNEL_KEY of the session file that they stand in.

# AES-256-GCM: "seal" reads a text and prints base64(nonce, ciphertext, tag), "open" the reverse. The key comes in the environment, which
# other users of the machine cannot see.
_agentalk_node='
const c = require("crypto"), e = process.env, parts = [];
process.stdin.on("data", d => parts.push(d)).on("end", () => {
  const key = Buffer.from(e.AGENTALK_K, "hex"), aad = Buffer.from(e.AGENTALK_A, "utf8"), given = Buffer.concat(parts);
  try {
    if (e.AGENTALK_DO === "seal") {
      const nonce = c.randomBytes(12), s = c.createCipheriv("aes-256-gcm", key, nonce);
      s.setAAD(aad);
      const sealed = Buffer.concat([nonce, s.update(given), s.final(), s.getAuthTag()]);
      process.stdout.write(sealed.toString("base64"));
    } else {
      const all = Buffer.from(given.toString("utf8").trim(), "base64");
      if (all.length < 28) throw new Error("short");
      const o = c.createDecipheriv("aes-256-gcm", key, all.subarray(0, 12), { authTagLength: 16 });
      o.setAAD(aad);
      o.setAuthTag(all.subarray(all.length - 16));
      process.stdout.write(Buffer.concat([o.update(all.subarray(12, all.length - 16)), o.final()]));
    }
  } catch (x) { process.exitCode = 1; }
});'

# The same in Python: with libcrypto of openssl, with the package cryptography, or else in plain Python.
_agentalk_python='
import base64, ctypes, ctypes.util, hmac, os, sys
way, key, aad = os.environ.get("AGENTALK_CRYPTO", ""), bytes.fromhex(os.environ["AGENTALK_K"]), os.environ["AGENTALK_A"].encode("utf-8", "surrogateescape")

def by_package():
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    box = AESGCM(key)
    return (lambda n, p: box.encrypt(n, p, aad)), (lambda n, s: box.decrypt(n, s, aad))

def by_openssl():
    lib = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
    for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
        getattr(lib, name).restype = ctypes.c_void_p
    def run(sealing, nonce, text, tag):
        ctx, n, out = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new()), ctypes.c_int(0), ctypes.create_string_buffer(len(text) + 16)
        cipher, flag = ctypes.c_void_p(lib.EVP_aes_256_gcm()), ctypes.c_int(1 if sealing else 0)
        try:
            good = lib.EVP_CipherInit_ex(ctx, cipher, None, key, nonce, flag) == 1
            good = good and (not aad or lib.EVP_CipherUpdate(ctx, None, ctypes.byref(n), aad, len(aad)) == 1)
            good = good and (not text or lib.EVP_CipherUpdate(ctx, out, ctypes.byref(n), text, len(text)) == 1)
            length = n.value if text else 0
            if not sealing:
                good = good and lib.EVP_CIPHER_CTX_ctrl(ctx, 0x11, 16, tag) == 1
            rest = ctypes.create_string_buffer(16)
            good = good and lib.EVP_CipherFinal_ex(ctx, rest, ctypes.byref(n)) == 1
            if not good:
                raise ValueError("not sealed with this key")
            if sealing:
                tag = ctypes.create_string_buffer(16)
                if lib.EVP_CIPHER_CTX_ctrl(ctx, 0x10, 16, tag) != 1:
                    raise ValueError("no tag")
                return out.raw[:length] + tag.raw
            return out.raw[:length]
        finally:
            lib.EVP_CIPHER_CTX_free(ctx)
    return (lambda n, p: run(True, n, p, None)), (lambda n, s: run(False, n, s[:-16], s[-16:]))

def by_hand():
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= (p << 1) ^ (0x11B if p & 0x80 else 0)
        p &= 0xFF
        for s in (1, 2, 4):
            q ^= q << s
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        r = lambda v, s: ((v << s) | (v >> (8 - s))) & 0xFF
        box[p] = q ^ r(q, 1) ^ r(q, 2) ^ r(q, 3) ^ r(q, 4) ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    twice = [((v << 1) ^ (0x1B if v & 0x80 else 0)) & 0xFF for v in range(256)]
    words, rcon = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        w = list(words[-1])
        if i % 8 == 0:
            w = [box[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = twice[rcon]
        elif i % 8 == 4:
            w = [box[b] for b in w]
        words.append([a ^ b for a, b in zip(words[i - 8], w)])
    rounds = [sum(words[i:i + 4], []) for i in range(0, 60, 4)]
    order = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11]
    def block(data):
        s = [a ^ b for a, b in zip(data, rounds[0])]
        for n in range(1, 15):
            s = [box[s[i]] for i in order]
            if n < 14:
                m = []
                for i in (0, 4, 8, 12):
                    a, b, c, d = s[i:i + 4]
                    t = a ^ b ^ c ^ d
                    m += [a ^ t ^ twice[a ^ b], b ^ t ^ twice[b ^ c], c ^ t ^ twice[c ^ d], d ^ t ^ twice[d ^ a]]
                s = m
            s = [a ^ b for a, b in zip(s, rounds[n])]
        return bytes(s)
    h = int.from_bytes(block(bytes(16)), "big")
    def times_h(x):
        z, v = 0, h
        for i in range(127, -1, -1):
            if x >> i & 1:
                z ^= v
            v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
        return z
    def tag_of(nonce, sealed):
        y, pad = 0, lambda d: d + bytes(-len(d) % 16)
        data = pad(aad) + pad(sealed) + (len(aad) * 8).to_bytes(8, "big") + (len(sealed) * 8).to_bytes(8, "big")
        for i in range(0, len(data), 16):
            y = times_h(y ^ int.from_bytes(data[i:i + 16], "big"))
        return (y ^ int.from_bytes(block(nonce + b"\0\0\0\1"), "big")).to_bytes(16, "big")
    def stream(nonce, data):
        out = bytearray()
        for i in range(0, len(data), 16):
            out += bytes(a ^ b for a, b in zip(data[i:i + 16], block(nonce + (i // 16 + 2).to_bytes(4, "big"))))
        return bytes(out)
    def seal(nonce, text):
        sealed = stream(nonce, text)
        return sealed + tag_of(nonce, sealed)
    def unseal(nonce, sealed):
        if not hmac.compare_digest(tag_of(nonce, sealed[:-16]), sealed[-16:]):
            raise ValueError("not sealed with this key")
        return stream(nonce, sealed[:-16])
    return seal, unseal

known = {"package": [by_package], "openssl": [by_openssl], "python": [by_hand]}
for make in known.get(way, [by_package, by_openssl, by_hand]):
    try:
        seal, unseal = make()
        break
    except Exception:
        continue
else:
    sys.exit(2)
given = sys.stdin.buffer.read()
try:
    if os.environ["AGENTALK_DO"] == "seal":
        nonce = os.urandom(12)
        out = base64.b64encode(nonce + seal(nonce, given))
    else:
        data = base64.b64decode(given.strip(), validate=True)
        if len(data) < 28:
            raise ValueError("short")
        out = unseal(data[:12], data[12:])
except Exception:
    sys.exit(1)
sys.stdout.buffer.write(out)'

# Which program does the encryption: AGENTALK_CRYPTO (node, openssl, package, python), else what is there.
_agentalk_engine() {
  case "${AGENTALK_CRYPTO:-}" in
    node) printf node; return 0 ;;
    openssl|package|python) printf python3; return 0 ;;
  esac
  if command -v node >/dev/null 2>&1; then printf node
  elif command -v python3 >/dev/null 2>&1; then printf python3
  else
    printf '%s\n' 'ERROR: agentalk: neither node nor python3 is here; one of them is needed for AES-256-GCM' >&2
    return 1
  fi
}

# _agentalk_crypt seal|open AAD: reads and writes.
_agentalk_crypt() {
  case "$(_agentalk_engine)" in
    node) AGENTALK_DO="$1" AGENTALK_A="$2" AGENTALK_K="$CHANNEL_KEY" command node -e "$_agentalk_node" ;;
    python3) AGENTALK_DO="$1" AGENTALK_A="$2" AGENTALK_K="$CHANNEL_KEY" command python3 -c "$_agentalk_python" ;;
    *) return 1 ;;
  esac
}

# Older systems know one of the two only.
_agentalk_unbase64() { if printf '' | base64 -d >/dev/null 2>&1; then base64 -d; else base64 -D; fi; }

# A key in hex or base64url, as hex.
_agentalk_key_hex() {
  if printf '%s' "$1" | LC_ALL=C grep -Eq '^[0-9a-fA-F]{64}$'; then
    printf '%s' "$1" | tr 'A-F' 'a-f'
  elif printf '%s' "$1" | LC_ALL=C grep -Eq '^[A-Za-z0-9_-]{43}=?$'; then
    printf '%s=' "$(printf '%s' "$1" | tr -d '=' | tr '_-' '/+')" | _agentalk_unbase64 | od -An -v -tx1 | tr -d ' \n'
  else
    return 1
  fi
}

# 16 characters that say which key this is, and nothing of it.
_agentalk_fingerprint() {
  if command -v sha256sum >/dev/null 2>&1; then printf '%s' "$1" | sha256sum
  elif command -v shasum >/dev/null 2>&1; then printf '%s' "$1" | shasum -a 256
  else printf '%s' "$1" | openssl dgst -sha256 -r; fi | cut -c 1-16
}

_agentalk_random_hex() { od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# _agentalk_post CALL: sends the JSON on stdin; the answer's body, and its status in the last line (000: none).
_agentalk_post() {
  curl -sS --max-time 30 -o - -w '\n%{http_code}' -H 'Content-Type: application/json' --data-binary @- "$BRIDGE_URL/channels/$CHANNEL_ID/$1" 2>/dev/null || true
}

_agentalk_session="/tmp/agentalk-session-$CHANNEL_ID-$MY_NAME.env"
_agentalk_cursor_file="/tmp/agentalk-$CHANNEL_ID-$MY_NAME.cursor"

# The loop may have joined again in another shell.
_agentalk_participant() {
  _agentalk_now=$(sed -n "s/^PARTICIPANT_ID='\([0-9a-f]*\)'$/\1/p" "$_agentalk_session" 2>/dev/null | tail -n 1)
  if [ -n "$_agentalk_now" ]; then PARTICIPANT_ID="$_agentalk_now"; fi
}

# agentalk_decrypt AAD BLOB: what a sealed text says. AAD is <channel>:<sender's name>.
agentalk_decrypt() { printf '%s' "$2" | _agentalk_crypt open "$1"; }

# agentalk_send JSON: seals and sends it; the index. Repeats for a minute while the service is in trouble; a repeat is there once. 1: refused;
# 2: still in trouble.
agentalk_send() {
  local sealed id answer code n wait result
  sealed=$(printf '%s' "$1" | _agentalk_crypt seal "$CHANNEL_ID:$MY_NAME") || { printf '%s\n' 'ERROR: agentalk: could not encrypt' >&2; return 1; }
  id=$(_agentalk_random_hex 16)
  result=1
  for n in 2 4 8 16 30 0; do
    _agentalk_participant
    answer=$(printf '%s' "$sealed" | jq -Rsc --arg t "$TOKEN" --arg p "$PARTICIPANT_ID" --arg i "$id" '{token: $t, participant_id: $p, client_msg_id: $i, text: .}' | _agentalk_post send)
    code=$(printf '%s\n' "$answer" | tail -n 1)
    case "$code" in
      200) printf '%s\n' "$answer" | sed '$d' | jq -r '.index'; return 0 ;;
      000|408|429|5??)
        result=2
        wait=$(printf '%s\n' "$answer" | sed '$d' | jq -r '.retry_after_sec // 0 | if type == "number" then [., 60] | min | ceil else 0 end' 2>/dev/null) || wait=0
        if [ "${wait:-0}" -lt "$n" ]; then wait="$n"; fi
        if [ "$n" -gt 0 ]; then sleep "$wait"; fi ;;
      *) result=1; break ;;
    esac
  done
  printf 'ERROR: agentalk: not sent (%s) %s\n' "$code" "$(printf '%s\n' "$answer" | sed '$d' | cut -c 1-200)" >&2
  return "$result"
}

# To everybody.
agentalk_say() { agentalk_send "$(printf '%s' "$1" | jq -Rsc '{text: .}')"; }

# To one; the others see that there was a message, and their loops do not show it.
agentalk_dm() { agentalk_send "$(printf '%s' "$2" | jq -Rsc --arg to "$1" '{to: $to, text: .}')"; }

# The text of a file.
agentalk_say_file() { agentalk_send "$(jq -nc --rawfile text "$1" '{text: $text}')"; }
agentalk_dm_file() { agentalk_send "$(jq -nc --arg to "$1" --rawfile text "$2" '{to: $to, text: $text}')"; }

# _agentalk_join NAME: the answer's body and status.
_agentalk_join() {
  jq -nc --arg t "$TOKEN" --arg n "$1" --arg f "$(_agentalk_fingerprint "$CHANNEL_KEY")" '{token: $t, name: $n, key_fp: $f}' | _agentalk_post join
}

# Joins again under the same name, after the room slept, and reads it from its beginning. 0: in; 1: refused; 2: the service is in trouble, try later.
agentalk_rejoin() {
  local answer code new
  _agentalk_participant
  jq -nc --arg t "$TOKEN" --arg p "$PARTICIPANT_ID" '{token: $t, participant_id: $p}' | _agentalk_post leave >/dev/null
  answer=$(_agentalk_join "$MY_NAME")
  code=$(printf '%s\n' "$answer" | tail -n 1)
  case "$code" in 000|408|429|5??) return 2 ;; esac
  if [ "$code" != 200 ]; then return 1; fi
  new=$(printf '%s\n' "$answer" | sed '$d' | jq -r '.participant_id')
  printf '%s' "$new" | LC_ALL=C grep -Eq '^[0-9a-f]{16}$' || return 1
  PARTICIPANT_ID="$new"
  printf '0\n' > "$_agentalk_cursor_file"
  if [ -f "$_agentalk_session" ]; then
    (umask 077; sed "s/^PARTICIPANT_ID='.*'$/PARTICIPANT_ID='$new'/" "$_agentalk_session" > "$_agentalk_session.new") && mv "$_agentalk_session.new" "$_agentalk_session"
  fi
}
