#!/bin/sh
# A deployment system as a program, small enough to start a hundred times a second.
#
#   deploy_tool.sh FOLDER current|versions SERVICE ENVIRONMENT
#   deploy_tool.sh FOLDER deploy SERVICE ENVIRONMENT VERSION KEY
#   deploy_tool.sh FOLDER status|cancel KEY
#   deploy_tool.sh FOLDER check
#
# FOLDER/runs/KEY is what became of a run, FOLDER/started has a line for each run that was really started, FOLDER/calls one for
# each call. FOLDER/trouble says what befalls the next deploy.
folder=$1 verb=$2
shift 2
echo "$verb $*" >>"$folder/calls"
case $verb in
current | versions) exec cat "$folder/$verb-$1-$2" ;;
check) exec test ! -e "$folder/weak" ;;
status)
    test -e "$folder/runs/$1" || exec echo '{"run": null, "status": "unknown"}'
    grep -q '"failed"' "$folder/runs/$1" && echo "the disk is full" >&2
    exec cat "$folder/runs/$1"
    ;;
cancel)
    test -e "$folder/runs/$1" || exec echo '{"run": null, "status": "unknown"}'
    sed -i 's/"running"/"cancelled"/' "$folder/runs/$1"
    exec cat "$folder/runs/$1"
    ;;
esac
service=$1 environment=$2 version=$3 key=$4 trouble=
test -e "$folder/trouble" && read -r trouble <"$folder/trouble"
rm -f "$folder/trouble"
test "$trouble" = lost && kill -9 $$
run="{\"run\": \"run-$key\", \"status\": \"running\", \"version\": \"$version\", \"link\": \"https://deploys.example/$key\"}"
if (set -C && echo "$run" >"$folder/runs/$key") 2>/dev/null; then # whoever makes the file starts the run
    echo "$key $service $version $environment" >>"$folder/started"
fi
case $trouble in
hangs) exec sleep 20 ;;
killed) kill -9 $$ ;;
cut) exec printf '{"run": 7' ;;
esac
exec cat "$folder/runs/$key"
