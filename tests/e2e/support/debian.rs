//! A base image with a small signed repository of Debian packages in it, and its keys.
//!
//! **Invariant:** the repository is one that apt itself would refuse without its key.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::{PYTHON, Project};

/// Makes the packages `e2e-probe`, a program, and `e2e-header`, a file for compilers, a repository
/// of them with releases and one without, and two keys, of which `good` signs both.
const RECIPE: &str = r#"FROM BASE AS made
RUN apt-get update && apt-get install --yes --no-install-recommends apt-utils gnupg
RUN <<MADE
set -e
export GNUPGHOME=/srv/home
mkdir -p -m 700 $GNUPGHOME /srv/keys
for key in good other; do
    gpg --batch --quiet --passphrase '' --quick-generate-key "$key <$key@example.org>" rsa2048
    gpg --armor --export $key >/srv/keys/$key.asc
    gpg --export $key >/srv/keys/$key.gpg
done
gpg --batch --armor --export-secret-keys good >/srv/keys/private.asc
gpg --batch --export-secret-keys good >/srv/keys/private.gpg
package() {
    mkdir -p /srv/packages/$1/DEBIAN
    printf 'Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: e2e <e2e@example.org>\nDescription: for a test\n' $1 >/srv/packages/$1/DEBIAN/control
}
package e2e-probe
mkdir -p /srv/packages/e2e-probe/usr/bin
printf '#!/bin/sh\necho probed\n' >/srv/packages/e2e-probe/usr/bin/e2e-probe
chmod 755 /srv/packages/e2e-probe/usr/bin/e2e-probe
package e2e-header
mkdir -p /srv/packages/e2e-header/usr/include
echo >/srv/packages/e2e-header/usr/include/e2e.h
. /etc/os-release
arch=$(dpkg --print-architecture)
sign() {
    apt-ftparchive $2 release $1 >/tmp/Release
    mv /tmp/Release $1/Release
    gpg --batch --quiet --local-user good --clearsign --output $1/InRelease $1/Release
}
root=/srv/repo/$ID/$VERSION_ID
mkdir -p $root/pool $root/dists/$VERSION_CODENAME/main/binary-$arch /srv/flat
for package in e2e-probe e2e-header; do
    dpkg-deb --build --root-owner-group /srv/packages/$package $root/pool
done
cp $root/pool/*.deb /srv/flat
cd $root
apt-ftparchive packages pool >dists/$VERSION_CODENAME/main/binary-$arch/Packages
sign dists/$VERSION_CODENAME "-o APT::FTPArchive::Release::Codename=$VERSION_CODENAME -o APT::FTPArchive::Release::Components=main -o APT::FTPArchive::Release::Architectures=$arch"
cd /srv/flat
apt-ftparchive packages . >Packages
sign . ""
MADE

FROM scratch AS keys
COPY --from=made /srv/keys /

FROM BASE
COPY --from=made /srv/repo /srv/repo
COPY --from=made /srv/flat /srv/flat
"#;

impl Project {
    /// Builds the base, and puts its keys into the project as `keys/good.asc` and so on. Returns
    /// the base's name, which only this engine knows.
    #[track_caller]
    pub(crate) fn base_with_repository(&self) -> String {
        let base = format!("{}/base:repository", self.namespace);
        self.file("base/Dockerfile", RECIPE.replace("BASE", PYTHON));
        let keys = ["buildx", "build", "--target", "keys", "--output", "keys", "base"];
        self.docker(&keys).ok();
        self.docker(&["buildx", "build", "--load", "--tag", &base, "base"]).ok();
        base
    }

    /// Every path in the layers of an image that the engine has, sorted; folders end in `/`.
    #[track_caller]
    pub(crate) fn paths_in_layers(&self, image: &str) -> Vec<String> {
        let script = "set -e
            rm -rf layers && mkdir layers && docker save \"$1\" | tar -x -C layers
            for blob in layers/blobs/sha256/*; do tar -t -f $blob 2>/dev/null || true; done
            rm -rf layers";
        let listed = self.run("sh", &["-c", script, "sh", image]).ok().out;
        let mut paths: Vec<String> = listed.lines().map(str::to_owned).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Serves one content to everyone who asks on loopback; returns the address.
pub(crate) fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                content.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content));
        }
    });
    format!("http://{address}")
}
