# shellcheck shell=dash
# Words of the boot scripts: what happened, told to the journal and left for the status page.

FACTS=${DRIMBOX_FACTS:-/run/drimbox-facts}

# say TEXT…: one line in the journal
say() { echo "$*" >&2; }

# fact NAME STATE [CODE] [DETAIL]: leaves /run/drimbox-facts/NAME.json, whole. A code is a promise (see
# docs/operations.md); a detail is for people, and never names a patient or a secret.
fact() {
  mkdir -p "$FACTS"
  fact_code=null fact_detail=null
  [ -z "${3:-}" ] || fact_code="\"$3\""
  # Printable, without what would end a JSON string.
  [ -z "${4:-}" ] || fact_detail="\"$(printf '%s' "$4" | tr '\n\t' '  ' | tr -cd ' !#-[]-~' | cut -c1-300)\""
  printf '{"state":"%s","code":%s,"detail":%s,"at":"%s"}\n' "$2" "$fact_code" "$fact_detail" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > "$FACTS/.$1.tmp"
  chmod 0644 "$FACTS/.$1.tmp"
  mv "$FACTS/.$1.tmp" "$FACTS/$1.json"
  say "$1: $2${3:+ $3}${4:+ ($4)}"
}

# same A B: both are there, with the same text (the image has no cmp, and digests are slow to start)
same() { [ -f "$1" ] && [ -f "$2" ] && [ "$(cat "$1")" = "$(cat "$2")" ]; }

# put SOURCE TARGET [MODE [OWNER]]: copies a text whole; true when the target is another than before
put() {
  ! same "$1" "$2" || return 1
  cp "$1" "$2.new"
  [ -z "${4:-}" ] || chown "$4" "$2.new"
  chmod "${3:-0644}" "$2.new"
  mv "$2.new" "$2"
}

# tpm_state: prints absent, lockout or ready. The TPM forgives a failure every ten minutes.
tpm_state() {
  if [ ! -c "${DRIMBOX_TPM:-/dev/tpmrm0}" ]; then echo absent; return; fi
  if ! tpm_said=$(tpm2_getcap properties-variable 2>/dev/null); then echo absent; return; fi
  case $(printf '%s\n' "$tpm_said" | sed -n 's/^ *inLockout: *//p') in
    1) echo lockout ;;
    *) echo ready ;;
  esac
}
