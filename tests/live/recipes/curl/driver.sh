#!/bin/sh
# One GET of `/` with curl, reported as README.md of the live tests asks. The number of checks is not looked at: an HTTP client
# makes one request.
set -eu
address= certificate= mode=
while [ $# -gt 0 ]; do
    case $1 in
    --address) address=$2 ;;
    --tls) certificate=$2 ;;
    --mode) mode=$2 ;;
    esac
    shift 2
done
set -- -sS -m 25 -o /dev/null -w '%{http_code} v%{http_version} %{time_total}'
case $mode in
http1) set -- "$@" --http1.1 ;;
prior-knowledge) set -- "$@" --http2-prior-knowledge ;;
h2c-upgrade) set -- "$@" --http2 ;;
esac
if [ -n "$certificate" ]; then
    port=${address##*:}
    set -- "$@" --cacert "$certificate" --resolve "muxbed.test:$port:${address%:*}" "https://muxbed.test:$port/"
else
    set -- "$@" "http://$address/"
fi
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
if written=$(curl "$@" 2>"$errors"); then failed=; else failed=yes; fi
seconds=${written##* }
status=${written% *}
if [ -n "$failed" ]; then
    text=$(head -n 1 "$errors" | sed 's/\\/\\\\/g; s/"/\\"/g')
    error="\"$text\""
else
    error=null
fi
printf '{"rpcs": [{"at_s": %s, "error": %s}], "output": ["%s"]}\n' "$seconds" "$error" "$status"
