# Sourced by the tests of this folder: a scratch folder and one assertion.
root=$(CDPATH='' cd -- "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

# expect NAME STATUS TEXT COMMAND...: the command ends with STATUS and prints TEXT (a fixed string;
# "" for silence).
expect() {
  name=$1 want_status=$2 want_text=$3
  shift 3
  status=0
  "$@" >"$scratch/output" 2>&1 || status=$?
  if [ "$status" -ne "$want_status" ]; then
    problem="exit $status, not $want_status"
  elif [ -n "$want_text" ] && ! grep -qF -- "$want_text" "$scratch/output"; then
    problem="does not print: $want_text"
  elif [ -z "$want_text" ] && [ -s "$scratch/output" ]; then
    problem="prints something"
  else
    echo "ok: $name"
    return 0
  fi
  failures=$((failures + 1))
  echo "FAILED: $name: $problem"
  sed 's/^/  | /' "$scratch/output"
}

finish() { [ "$failures" -eq 0 ]; }
