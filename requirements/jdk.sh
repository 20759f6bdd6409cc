#!/bin/sh
# Prints the home of a JDK that Spark 4 runs on: version 17 or newer, with the module `jdk.incubator.vector`.
# Looks in JAVA_HOME, on the PATH and where systems put theirs. If there is none, root installs one by the system's
# package manager; anybody else is told the one line to run.
set -eu

wanted=17
module=jdk.incubator.vector

# Whether a java is new enough and has the module.
serves() {
  [ -x "$1" ] || return 1
  version=$("$1" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge "$wanted" ] && "$1" --list-modules 2>/dev/null | grep -q "^$module@"
}

find_home() {
  for java in "${JAVA_HOME:-/nowhere}/bin/java" "$(command -v java || echo /nowhere)" \
    /usr/lib/jvm/*/bin/java /opt/java/*/bin/java /Library/Java/JavaVirtualMachines/*/Contents/Home/bin/java; do
    if serves "$java"; then
      # The home that java itself tells: what is on the PATH may be a link, or a script.
      "$java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p'
      return
    fi
  done
  return 1
}

# The line that installs one here; nothing where the package manager is not known.
install_line() {
  if command -v apt-get >/dev/null; then
    echo "apt-get install -y --no-install-recommends openjdk-$(apt_version)-jdk-headless"
  elif command -v dnf >/dev/null; then
    echo "dnf install -y java-$wanted-openjdk-devel java-$wanted-openjdk-jmods"
  elif command -v microdnf >/dev/null; then
    echo "microdnf install -y java-$wanted-openjdk-devel java-$wanted-openjdk-jmods"
  elif command -v apk >/dev/null; then
    echo "apk add openjdk$wanted-jdk"
  elif command -v zypper >/dev/null; then
    echo "zypper --non-interactive install java-$wanted-openjdk-devel"
  elif command -v pacman >/dev/null; then
    echo "pacman -S --noconfirm jdk$wanted-openjdk"
  fi
}

apt_version() {
  for version in 17 21 25; do
    if apt-cache show "openjdk-$version-jdk-headless" >/dev/null 2>&1; then
      echo "$version"
      return
    fi
  done
  echo "$wanted"
}

if find_home; then
  exit 0
fi
line=$(install_line)
if [ -n "$line" ] && [ "$(id -u)" = 0 ]; then
  echo "installing a JDK for Spark: $line" >&2
  if command -v apt-get >/dev/null; then
    apt-get update -q >&2 || true
    line=$(install_line)
  fi
  # shellcheck disable=SC2086  # the words of one line
  DEBIAN_FRONTEND=noninteractive $line >&2
  if find_home; then
    exit 0
  fi
fi
echo "the tests of Spark need a JDK of version $wanted or newer with the module $module; install one as root, then try again:" >&2
echo "  ${line:-a JDK from https://adoptium.net, with JAVA_HOME set to it}" >&2
exit 1
