package throwaway

import (
	"strings"
	"time"
)

// imageTroubles recognises what containerd, CRI-O and dockershim say when a pull fails, the
// more telling words first: a message about a missing credential also says "not found".
var imageTroubles = []struct {
	words []string
	symptom
}{
	{[]string{"x509:", "certificate signed by unknown", "server gave HTTP response to HTTPS client", "tls: failed to verify"},
		symptom{cause: ImageUntrusted, why: "the node does not trust the registry's certificate",
			do: "install the registry's CA on the nodes (containerd: /etc/containerd/certs.d)"}},
	{[]string{"invalid reference format", "failed to parse image reference", "couldn't parse image"},
		symptom{cause: ImageInvalid, why: "the image's name breaks the rules of image references",
			do: "correct the image's name in the answers file"}},
	{[]string{"no such host", "dial tcp: lookup", "server misbehaving", "Temporary failure in name resolution"},
		symptom{cause: ImageHostUnknown, why: "the node's resolver does not know the registry's name, or does not answer",
			do: "correct the image's registry in the answers file, or the node's DNS", grace: 5 * time.Second}},
	{[]string{"401 Unauthorized", "403 Forbidden", "unauthorized", "no basic auth credentials", "authorization failed",
		"authentication required", "insufficient_scope", "access denied", "access forbidden", "requested access to the resource is denied"},
		symptom{cause: ImageUnauthorized, why: "the registry refuses the credentials that the pod's pull secrets hold, or there are none for it",
			do: "see that the pull secret is in this namespace, names this registry, and holds valid credentials with the right to pull"}},
	{[]string{"unexpected commit digest", "failed size validation", "digest mismatch", "content digest", "unexpected EOF", "invalid tar header", "gzip: invalid"},
		symptom{cause: ImageCorrupt, why: "what the registry sends is not what the image's digest promises",
			do: "push the image again; see the registry's storage", grace: 5 * time.Second}},
	{[]string{"no match for platform", "does not match the specified platform", "exec format error"},
		symptom{cause: ImagePlatform, why: "the image is not built for this node's architecture", do: "push an image for the nodes' platform, or select other nodes"}},
	{[]string{"i/o timeout", "connection refused", "no route to host", "network is unreachable", "connection reset", "Client.Timeout", "context deadline exceeded",
		"500 Internal", "502 Bad Gateway", "503 Service", "504 Gateway", ": EOF", "proxyconnect"},
		symptom{cause: RegistryDown, why: "the node cannot reach the registry, or the registry is not well",
			do: "see that the registry runs and that nodes reach it (firewall, proxy of the container runtime)", grace: 15 * time.Second}},
	{[]string{"no space left on device"},
		symptom{cause: ImagePull, why: "the node's disk is full", do: "free the node's image disk", undecided: true, grace: 15 * time.Second}},
	{[]string{"pull QPS exceeded", "429 Too Many", "toomanyrequests"},
		symptom{cause: ImagePull, why: "pulls are limited", do: "raise the limit, or run again later", undecided: true, grace: never}},
	{[]string{"not found", "manifest unknown", "name unknown", "MANIFEST_UNKNOWN", "NAME_UNKNOWN", "does not exist", "404"},
		symptom{cause: ImageNotFound, why: "the registry has no image of this name and tag", do: "push it, or correct its name in the answers file"}},
}

// imageTrouble classifies a kubelet's message about a failed pull.
func imageTrouble(message string) *symptom {
	for _, known := range imageTroubles {
		for _, words := range known.words {
			if strings.Contains(message, words) {
				s := known.symptom
				s.text = message
				return &s
			}
		}
	}
	return &symptom{cause: ImagePull, text: message, grace: 20 * time.Second,
		why: "the node could not pull the image", do: "read the message; pull the image by hand on that node"}
}
