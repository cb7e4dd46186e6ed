package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of Entra's keys; keptKeys is how many are published at most.
const (
	keyBits  = 2048
	keptKeys = 8
)

// keyring holds the signing keys, the newest first.
type keyring struct {
	// rotates says whether each token is signed with a new key.
	rotates func() bool

	mu   sync.Mutex
	keys []signingKey
}

type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

func newKeyring(rotates func() bool) (*keyring, error) {
	k := &keyring{rotates: rotates}
	return k, k.add()
}

func (k *keyring) add() error {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(private.N.Bytes())
	key := signingKey{id: base64.RawURLEncoding.EncodeToString(digest[:20]), private: private}
	k.keys = append([]signingKey{key}, k.keys[:min(len(k.keys), keptKeys-1)]...)
	return nil
}

// forSigning returns the key for one token.
func (k *keyring) forSigning() (signingKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rotates() {
		if err := k.add(); err != nil {
			return signingKey{}, err
		}
	}
	return k.keys[0], nil
}

// published are the keys as the provider's document holds them: without "alg", as Entra's.
func (k *keyring) published() jose.JSONWebKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, key := range k.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.private.Public(), KeyID: key.id, Use: "sig"})
	}
	return set
}

// sign returns the claims as a signed token.
func (k *keyring) sign(claims map[string]any) (string, error) { return k.signWith(claims, "") }

// signForGraph returns a token that only Graph can verify: its header holds a nonce, and what
// is signed is the header with the nonce's hash instead. Microsoft does so to keep others from
// accepting tokens that are not for them.
func (k *keyring) signForGraph(claims map[string]any) (string, error) {
	nonce := rand.Text()
	token, err := k.signWith(claims, hashed(nonce))
	if err != nil {
		return "", err
	}
	return withNonce(token, nonce)
}

func (k *keyring) signWith(claims map[string]any, nonce string) (string, error) {
	key, err := k.forSigning()
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5t", key.id)
	if nonce != "" {
		options = options.WithHeader(nonceHeader, nonce)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}}, options)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// verifyForGraph returns the payload of a token that signForGraph made.
func (k *keyring) verifyForGraph(token string) ([]byte, error) {
	header, err := headerOf(token)
	if err != nil {
		return nil, err
	}
	if nonce, isText := header[nonceHeader].(string); isText {
		if token, err = withNonce(token, hashed(nonce)); err != nil {
			return nil, err
		}
	}
	parsed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	known := k.published()
	for _, key := range known.Key(parsed.Signatures[0].Header.KeyID) {
		return parsed.Verify(key)
	}
	return nil, errors.New("no such key")
}

const nonceHeader = "nonce"

func hashed(nonce string) string {
	digest := sha256.Sum256([]byte(nonce))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

func headerOf(token string) (map[string]any, error) {
	first, _, _ := strings.Cut(token, ".")
	content, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return nil, err
	}
	var header map[string]any
	return header, json.Unmarshal(content, &header)
}

// withNonce replaces the nonce in a token's header. Go writes the keys of a map in their
// order, and so does go-jose, so that nothing else changes.
func withNonce(token, nonce string) (string, error) {
	header, err := headerOf(token)
	if err != nil {
		return "", err
	}
	header[nonceHeader] = nonce
	content, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString(content) + "." + rest, nil
}
