#!/bin/sh
# Lays the repository's own test data into fuzz/corpus/TARGET, in the form that each target reads.
#
# Nothing here is a fixture of its own. What a run finds by itself stays beside the seeds.
set -eu
cd "$(dirname "$0")"
crates=../crates
image=$crates/plimsoll-image/testdata
mkdir -p corpus

# Adds standard input to a target's corpus, behind the text $2, named by its sum.
add() {
    mkdir -p "corpus/$1"
    { printf "$2"; cat; } > corpus/new
    mv corpus/new "corpus/$1/seed-$(cksum < corpus/new | tr ' ' -)"
}

find "$image/catalogers" -mindepth 4 -type f | while read -r file; do
    path=${file#"$image"/catalogers/*/*/}
    add catalogers "$(printf %s "$path" | sed 's/[\\%]/&&/g')\n" < "$file"
done
for file in "$image"/catalogers/executable/*/usr/bin/* "$image"/catalogers/executable/*/usr/local/bin/*; do
    add executable '' < "$file"
done
find "$image/catalogers/java" -type f | while read -r file; do add java_archive '' < "$file"; done
for file in "$image"/rpm/*.bdb; do add rpm_bdb '' < "$file"; done
for file in "$image"/rpm/*.sqlite; do
    add rpm_sqlite '' < "$file"
    add catalogers 'var/lib/rpm/rpmdb.sqlite\n' < "$file"
done
find "$image/catalogers/windows-registry" "$image/catalogers/windows-file" -type f | while read -r file; do add hive '' < "$file"; done
printf 'RpmP' | add rpm_ndb ''
printf '\0\0' | add rpm_header '\1'
for file in "$image"/tar/*.tar.gz; do
    gzip -dc "$file" | add tar '\0'
    gzip -dc "$file" | add layer '\0'
    add layer '\2' < "$file"
done

feeds=$crates/plimsoll-feeds/testdata/feeds

# Prints a file as `src/files.rs` reads it: its path, and what is in it.
file() {
    printf '\034\034%s\n' "$1"
    cat "$2"
}

# Prints all files of a case, the small ones first: what is too much for an input is cut off.
files() {
    find "$1" -type f ! -name '*.snap' -printf '%s %P\n' | sort -n | cut -d' ' -f2- |
        while read -r path; do file "$path" "$1/$path"; done
}

for case in "$feeds"/*/*/; do
    case=${case%/}
    feed=${case#"$feeds"/}
    feed=${feed%%/*}
    [ "$feed" != osv ] || continue
    files "$case" | add feeds "$feed\n"
    files "$case" | add mirror "$feed\n"
done
# Updates and Red Hat's documents by themselves, as their index files leave little of an input.
for feed in amazon amazon1 fedora; do
    find "$feeds/$feed-updateinfo" -name updateinfo.xml | while read -r path; do
        file 2-x86_64.xml "$path" | add feeds "$feed-updateinfo\n"
    done
done
find "$feeds/redhat-vex" -name '*.json' | while read -r path; do
    file 2024/cve-2024-1.json "$path" | add feeds 'redhat-vex\n'
done
# As upstreams pack them.
for format in ustar pax gnu; do
    tar -C "$feeds/github-advisories/malformed/document" --format=$format -cf corpus/packed .
    file document corpus/packed | add feeds 'github-advisories\n'
    tar -C "$feeds/ubuntu-osv/malformed/osv/osv-all" --format=$format -cf corpus/packed .
    file osv/osv-all.tar.xz corpus/packed | add feeds 'ubuntu-osv\n'
    tar -C "$feeds/redhat-vex/malformed/csaf_vex_2024-11-20" --format=$format -cf corpus/packed .
    file csaf_vex_2024-11-20.tar.zst corpus/packed | add feeds 'redhat-vex\n'
done
rm corpus/packed
for packer in bzip2 gzip xz zstd; do
    ! command -v $packer > /dev/null ||
        { printf '\034\034document\n'; $packer -c < "$feeds/epss/plain/document"; } | add feeds 'epss\n'
done

find "$feeds/osv" -mindepth 3 -type f | while read -r path; do
    name=${path%/*}
    add feed_osv_record "$(printf %s "${name##*/}" | sed 's/ /%%20/g')/all.zip\n" < "$path"
done
# Rows without a record of their own get another's, which differs in the name alone.
for name in 'Azure Linux:3' Maven MinimOS openEuler:24.03-LTS 'Photon OS:5.0' 'Red Hat:enterprise_linux:9::baseos' \
    RubyGems Wolfi; do
    sed "s/Alpine:v3.20/$name/" "$feeds/osv/odd-places/Alpine/own-cve.json" |
        add feed_osv_record "$(printf %s "${name%%:*}" | sed 's/ /%%20/g')/all.zip\n"
done
file npm/all.zip "$image/catalogers/java/pom-properties/opt/app/renamed.jar" | add feeds 'osv-npm\n'

{
    printf '\034\034document\n{"vulnerabilities": []}\n\034\034journal.jsonl\n'
    printf '%s\n' '{"file":"known_exploited_vulnerabilities.json","url":"https://upstream.example/a","etag":"\"23\"","bytes":23,"is_the_feed":true}' \
        '{"file":"old/a.json","url":"u","revision":"r","bytes":1}' '{"file":"../beside","bytes":4}' \
        '{"file":"old/a.json","is_removed":true}' '{"file":"old%2f..%2f..'
} | add mirror 'kev\n'

bundle=$crates/plimsoll-feeds/testdata/bundles/kev.bundle
add bundle '' < "$bundle"
{
    tar -xOf "$bundle" bundle.json
    printf '\0'
    tar -xOf "$bundle" --wildcards 'feeds/*'
} | add bundle ''
{
    tar -xOf "$bundle" bundle.json | sed 's/"is_compressed": true/"is_compressed": false/'
    printf '\0'
    tar -xOf "$bundle" --wildcards 'feeds/epss/*'
    printf '{"vulnerabilities": []}'
} | add bundle ''
for export in "$feeds"/clair-export/*/document; do add bundle '' < "$export"; done

for kind in "$crates"/plimsoll/testdata/hooks/*/; do
    name=${kind%/}
    for file in "$kind"*.json; do add hooks "${name##*/}\n" < "$file"; done
done

# The cases of a scheme are lines `A < B`; its number is its place in the sorted list.
number=0
for file in "$crates"/plimsoll-core/testdata/schemes/*.txt; do
    sed -n 's/^\([^#@ ][^ ]*\) [<=>] \([^ ]*\)$/\1 \2/p' "$file" | head -40 | while read -r a b; do
        printf '%s\n%s' "$a" "$b" | add schemes "\\$(printf %03o $number)"
    done
    number=$((number + 1))
done

grep -rhoE 'WWW-Authenticate: .*|Bearer realm=.*' "$crates"/plimsoll-image/tests/registry*.rs | head -20 |
    while read -r line; do printf %s "$line" | add registry ''; done
for text in alpine localhost:5000/a/b:1.0 r.example/a@sha256:0000; do printf %s "$text" | add registry ''; done
printf '\033[31mred \342\200\256back\n' | add report_text ''
printf '\6\1\2\6\377\0\1\3\2' | add merge ''
printf '\0\0\200\1' | add advisory_database ''
printf '%s' '{"schemaVersion":2,"mediaType":"m","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1},"layers":[]}' |
    add image_documents ''
printf '%s' '{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":[]},"history":[{"created_by":"x","empty_layer":true}]}' |
    add image_documents ''
# Evidence that a PKI of our own signs, which the targets trust.
(cd .. && cargo run --quiet -p plimsoll-testkit --example evidence -- fuzz/corpus)
find "$crates/plimsoll-trust/testdata/statements" -name '*.json' | while read -r file; do add statement '' < "$file"; done
for file in "$crates"/plimsoll-trust/testdata/gcb/*.json; do add gcb_file '' < "$file"; done
find "$crates/plimsoll-trust/testdata/sigstore" -name bundle.sigstore.json | while read -r file; do
    add evidence_bundle '' < "$file"
done
touch corpus/.seeds
