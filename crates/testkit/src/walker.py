"""Walks registries and OCI image layouts to the last byte, and prints what stands there.

The environment names the places: PLACES, a JSON list of {"registry": HOST, "under": PREFIX} and
{"layout": DIRECTORY, "under": PREFIX}. What is printed is a JSON list with one object for each place, by the names of the
repositories under the prefix. It fails at the first thing that is missing or is not what its digest says.
"""

import hashlib
import http.client
import json
import os
import re
import sys

INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
IMAGES = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}
MANIFESTS = INDEXES | IMAGES
FALLBACK = re.compile("(sha256|sha512)-([0-9a-f]{64})")


def sure(condition, *words):
    if not condition:
        sys.exit(" ".join(str(word) for word in words))


def hashed(digest, chunks):
    """Returns how many bytes there are, having found that they have the digest."""
    algorithm, _, wanted = digest.partition(":")
    hasher, size = hashlib.new(algorithm), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    sure(hasher.hexdigest() == wanted, digest, "has other bytes")
    return size


def fallback_tag(subject):
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema"""
    algorithm, _, text = subject.partition(":")
    return f"{algorithm[:32]}-{text[:64]}"


class Registry:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md"""

    def __init__(self, host):
        self.connection = http.client.HTTPConnection(host)

    def ask(self, path, accept="*/*"):
        self.connection.request("GET", path, headers={"Accept": accept})
        return self.connection.getresponse()

    def pages(self, path):
        """Yields the documents of a listing; none where it answers 404."""
        while path:
            response = self.ask(path)
            body = response.read()
            if response.status == 404:
                return
            sure(response.status == 200, path, "answers", response.status, body)
            yield json.loads(body)
            link = re.match("<([^>]+)>", response.headers.get("Link", ""))
            path = link and re.sub("^https?://[^/]+", "", link[1])

    def repositories(self):
        return [name for page in self.pages("/v2/_catalog") for name in page["repositories"]]

    def entries(self, repository):
        tags = [tag for page in self.pages(f"/v2/{repository}/tags/list") for tag in page["tags"] or []]
        return [(tag, self.standing(repository, tag)) for tag in tags]

    def standing(self, repository, tag):
        response, body = self.read(repository, tag)
        hashed(response.headers["Docker-Content-Digest"], [body])
        return response.headers["Docker-Content-Digest"]

    def read(self, repository, reference):
        response = self.ask(f"/v2/{repository}/manifests/{reference}", ", ".join(sorted(MANIFESTS)))
        body = response.read()
        sure(response.status == 200, repository, reference, "answers", response.status, body)
        return response, body

    def manifest(self, repository, digest, _named):
        response, body = self.read(repository, digest)
        return response.headers["Content-Type"].partition(";")[0], body

    def blob(self, repository, digest):
        response = self.ask(f"/v2/{repository}/blobs/{digest}")
        if response.status == 404:
            response.read()
            return None
        sure(response.status == 200, repository, digest, "answers", response.status)
        return hashed(digest, iter(lambda: response.read(1 << 16), b""))

    def referrers(self, repository, subject):
        """What the referrers API lists; None where there is none."""
        pages = list(self.pages(f"/v2/{repository}/referrers/{subject}"))
        return [entry for page in pages for entry in page["manifests"]] if pages else None


class Layout:
    """https://github.com/opencontainers/image-spec/blob/main/image-layout.md"""

    def __init__(self, directory):
        self.directory = directory
        with open(os.path.join(directory, "oci-layout"), "rb") as file:
            sure(json.load(file)["imageLayoutVersion"] == "1.0.0", directory, "is of another version")
        with open(os.path.join(directory, "index.json"), "rb") as file:
            self.named = [self.place(entry) for entry in json.load(file)["manifests"]]

    @staticmethod
    def place(entry):
        annotations = entry.get("annotations", {})
        name = annotations.get("org.opencontainers.image.ref.name")
        if name is None:
            return annotations.get("land.transship.repository", ""), None, entry
        repository, _, tag = name.rpartition(":")
        return repository, tag, entry

    def repositories(self):
        return sorted({repository for repository, _, _ in self.named})

    def entries(self, repository):
        return [(tag, entry["digest"]) for where, tag, entry in self.named if where == repository]

    def file(self, digest):
        return os.path.join(self.directory, "blobs", *digest.split(":"))

    def manifest(self, _repository, digest, named):
        with open(self.file(digest), "rb") as file:
            body = file.read()
        entry = next((entry["mediaType"] for _, _, entry in self.named if entry["digest"] == digest), None)
        return json.loads(body).get("mediaType") or named or entry, body

    def blob(self, _repository, digest):
        try:
            with open(self.file(digest), "rb") as file:
                return hashed(digest, iter(lambda: file.read(1 << 16), b""))
        except FileNotFoundError:
            return None

    def referrers(self, _repository, _subject):
        return None


class Walk:
    """Everything that is reached in one repository."""

    def __init__(self, place, repository):
        self.place, self.repository = place, repository
        self.tags, self.fallback, self.manifests, self.blobs, self.away = {}, {}, {}, {}, []
        self.attached, self.listed, self.api = {}, {}, {}
        for tag, digest in place.entries(repository):
            self.entry(tag, digest)
        sure(self.tags, repository, "has no tags")

    def entry(self, tag, digest):
        if tag and FALLBACK.fullmatch(tag):
            self.fallback[tag] = {"digest": digest, "entries": self.fallen(tag, digest)}
            return
        if tag:
            self.tags[tag] = digest
        self.walk(digest, None)

    def fallen(self, tag, digest):
        """Walks what a fallback tag names."""
        _, body = self.place.manifest(self.repository, digest, None)
        hashed(digest, [body])
        entries = json.loads(body)["manifests"]
        for entry in entries:
            self.walk(entry["digest"], entry["mediaType"])
            subject = self.manifests[entry["digest"]]["subject"]
            sure(subject and fallback_tag(subject) == tag, tag, "names", entry["digest"], "of", subject)
            self.listed.setdefault(subject, set()).add(entry["digest"])
        return sorted(entries, key=lambda entry: entry["digest"])

    def walk(self, digest, named):
        if digest in self.manifests:
            return
        media_type, body = self.place.manifest(self.repository, digest, named)
        size = hashed(digest, [body])
        document = json.loads(body)
        sure(media_type in MANIFESTS, digest, "is of", media_type)
        sure(document.get("mediaType", media_type) == media_type, digest, "is served as", media_type)
        children = document.get("manifests", []) if media_type in INDEXES else []
        blobs = [document["config"], *document["layers"]] if media_type in IMAGES else []
        subject = document.get("subject", {}).get("digest")
        self.manifests[digest] = {
            "mediaType": media_type,
            "artifactType": document.get("artifactType") or document.get("config", {}).get("mediaType"),
            "size": size,
            "subject": subject,
            "manifests": [child["digest"] for child in children],
            "blobs": [[blob["digest"], blob["mediaType"]] for blob in blobs],
        }
        for child in children:
            self.walk(child["digest"], child["mediaType"])
            sure(self.manifests[child["digest"]]["size"] == child["size"], child["digest"], "has another size")
        for blob in blobs:
            self.blob(blob)
        if subject:
            self.attached.setdefault(subject, set()).add(digest)
        self.refer(digest)

    def blob(self, descriptor):
        digest = descriptor["digest"]
        if digest in self.blobs or digest in self.away:
            return
        size = self.place.blob(self.repository, digest)
        if size is None:
            sure(descriptor.get("urls"), self.repository, "lacks the blob", digest)
            self.away.append(digest)
            return
        sure(size == descriptor["size"], digest, "has another size")
        self.blobs[digest] = size

    def refer(self, subject):
        entries = self.place.referrers(self.repository, subject)
        if not entries:
            return
        self.api[subject] = sorted(entries, key=lambda entry: entry["digest"])
        for entry in entries:
            self.walk(entry["digest"], entry["mediaType"])
            sure(self.manifests[entry["digest"]]["subject"] == subject, entry["digest"], "has another subject")

    def unlisted(self):
        """What refers to a manifest that stands here, and is told neither by the API nor by a fallback tag."""
        return sorted(
            digest
            for subject, digests in self.attached.items()
            if subject in self.manifests
            for digest in digests
            if digest not in self.listed.get(subject, ())
            and all(entry["digest"] != digest for entry in self.api.get(subject, ()))
        )

    def told(self):
        return {
            "tags": self.tags,
            "fallback": self.fallback,
            "manifests": self.manifests,
            "blobs": self.blobs,
            "away": sorted(self.away),
            "attached": {subject: sorted(digests) for subject, digests in self.attached.items()},
            "api": self.api,
            "unlisted": self.unlisted(),
        }


def walk(where):
    place = Registry(where["registry"]) if "registry" in where else Layout(where["layout"])
    under = where["under"]
    names = [name for name in place.repositories() if name.startswith(under)]
    return {name.removeprefix(under): Walk(place, name).told() for name in names}


json.dump([walk(where) for where in json.loads(os.environ["PLACES"])], sys.stdout, sort_keys=True)
