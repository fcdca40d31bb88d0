# Names and commands of the distributions' package managers; read in by scripts/setup.
# shellcheck shell=sh disable=SC2153,SC2154 # $log is set by the script that reads this in, $NAME by os-release
#
# install_packages "python bcc certificates nginx haproxy wrk ab curl sudo" (any of them) installs their
# packages, without recommended ones and without kernel headers.

package_manager() {
    for manager in apt-get dnf pacman zypper; do
        if have "$manager"; then echo "$manager" && return; fi
    done
    return 1
}

# package_names MANAGER THING: the packages that bring THING.
package_names() {
    case $1:$2 in
        *:curl | *:wrk | *:nginx | *:haproxy | *:sudo) echo "$2" ;;
        *:certificates) echo ca-certificates ;;
        apt-get:python) python_for_apt ;;
        apt-get:bcc) echo python3-bpfcc ;;
        apt-get:ab) echo apache2-utils ;;
        dnf:python) echo python3 ;;
        dnf:bcc) echo python3-bcc ;;
        dnf:ab) echo httpd-tools ;;
        pacman:python) echo python ;;
        pacman:bcc) echo python-bcc ;;
        pacman:ab) echo apache ;;
        zypper:python) echo python311 ;;
        zypper:bcc) echo python3-bcc ;;
        zypper:ab) echo apache2-utils ;;
    esac
}

# candidate PACKAGE: the version that apt-get would install; nothing if there is none.
candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | grep -v '(none)'
}

# A release whose python3 is too old may have Python 3.11 beside it.
python_for_apt() {
    case $(candidate python3) in
        3.[0-9][.-]* | 3.10[.-]*) echo python3.11 python3.11-venv ;;
        *) echo python3 python3-venv ;;
    esac
}

# Say so where no package of the distribution is a Python that is new enough.
require_python() {
    case $(python_for_apt) in python3.11*) ;; *) return 0 ;; esac
    [ -z "$(candidate python3.11)" ] || return 0
    # shellcheck source=/dev/null
    system=$(. /etc/os-release 2>/dev/null && echo "${NAME%% GNU/Linux} ${VERSION_ID-}") || system=
    die "httptop needs Python 3.11 or newer; ${system:-this system} has" \
        "$(candidate python3 | cut -d. -f1-2). Debian 12 and Ubuntu 24.04 have what is needed."
}

install_packages() {
    manager=$(package_manager) ||
        die "no package manager that this script knows; please install:$1"
    [ "$(id -u)" = 0 ] || have sudo ||
        die "installing packages needs root and there is no sudo here: run 'make setup' as root"
    case $manager in
        apt-get) install_with_apt "$1" ;;
        *) install_with_other "$1" ;;
    esac
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

install_with_apt() {
    echo "    reading the package lists (apt-get update)"
    tries=0
    until run_logged apt update; do
        # The lists' lock is the one that apt does not wait for by itself.
        tries=$((tries + 1))
        if [ "$tries" -lt 30 ] && grep -q 'Could not get lock' "$log"; then
            [ "$tries" != 1 ] || echo "    waiting for another apt-get to end"
            sleep 5
            continue
        fi
        show_log
        echo "    apt-get update failed; using the lists that are here"
        break
    done
    case " $1 " in *" python "*) require_python ;; esac
    packages=
    for thing in $1; do packages="$packages $(package_names apt-get "$thing")"; done
    # shellcheck disable=SC2086 # a list of words
    plan=$(apt install --simulate --no-install-recommends $packages 2>&1) || {
        printf '%s\n' "$plan" | tail -n 8 | sed 's/^/    | /' >&2
        die "apt-get cannot install$packages (on Ubuntu: is the universe component enabled?)"
    }
    if printf '%s\n' "$plan" | grep -q '^Inst linux-headers'; then
        die "apt-get would install kernel headers along with$packages, which httptop never needs"
    fi
    echo "    installing$packages ($(printf '%s\n' "$plan" | grep -c '^Inst ') packages in all)"
    hold_services
    # shellcheck disable=SC2086
    run_logged apt install --no-install-recommends $packages || {
        show_log
        die "apt-get could not install$packages"
    }
    release_services "$1"
}

# Debian starts a service when its package is installed. The tests need the programs of nginx and HAProxy,
# and nobody wants a new web server on port 80: forbid starting services during the installation.
hold_services() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

# release_services THINGS: allow starting again; leave the services that we installed switched off.
release_services() {
    [ -z "$policy" ] || as_root rm -f "$policy"
    policy=
    for service in nginx haproxy; do
        case " $1 " in *" $service "*) ;; *) continue ;; esac
        if have systemctl; then
            as_root systemctl disable "$service" >/dev/null 2>&1 || true
        elif have update-rc.d; then
            as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
        fi
    done
}

install_with_other() {
    for thing in $1; do
        name=$(package_names "$manager" "$thing")
        echo "    installing $name"
        case $manager in
            dnf) run_logged as_root dnf -y --setopt=install_weak_deps=False install "$name" ;;
            pacman) run_logged as_root pacman -Sy --noconfirm --needed "$name" ;;
            zypper) run_logged as_root zypper -n install --no-recommends "$name" ;;
        esac || case $thing in
            python | bcc | certificates) die "$manager could not install $name" ;;
            *) echo "    $manager could not install $name" ;;
        esac
    done
}
