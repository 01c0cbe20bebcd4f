// `golang.org/x/mod/sumdb/note` and `tlog` over exported certificates: the checkpoint and the one
// before it, inclusion of the log entry, consistency of both heads, and the log's tiles, from which
// the head is computed again; and the proof with the cosignatures of witnesses in Ed25519, which
// `note` takes apart and the standard library checks (C2SP tlog-cosignature).
//
// usage: tlog CASE...
// Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type bundle struct {
	VerificationMaterial struct {
		TlogEntries []struct {
			LogIndex       string
			InclusionProof struct {
				Hashes     []string
				Checkpoint struct{ Envelope string }
			}
			CanonicalizedBody string
		}
	}
}

func hashes(texts []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, text := range texts {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return nil, err
		}
		found = append(found, hash)
	}
	return found, nil
}

// The head that a checkpoint states, once its signature holds.
func head(text string, known note.Verifiers) (tree tlog.Tree, err error) {
	opened, err := note.Open([]byte(text), known)
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != opened.Sigs[0].Name {
		return tree, errors.New("no checkpoint of this log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// Tiles as they lie in a folder: C2SP leaves the height, which is always 8, out of the path.
type folder string

func (f folder) Height() int                         { return 8 }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		bytes, err := os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

// Computes the head again from the hashes of all leaves. Debian's x/mod 0.7 alone would not do: its
// TileHashReader leaves a tile unchecked where several subtrees of the head share another tile.
func replay(f folder, tree tlog.Tree) error {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (found []tlog.Hash, err error) {
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	const width = 1 << 8
	for n := int64(0); n < tree.N; n += width {
		tile := tlog.Tile{H: 8, L: 0, N: n / width, W: width}
		if tree.N-n < width {
			tile.W = int(tree.N - n)
		}
		data, err := f.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return err
		}
		if len(data[0]) != tile.W*tlog.HashSize {
			return errors.New("a tile has the wrong length")
		}
		for i := 0; i < tile.W; i++ {
			var leaf tlog.Hash
			copy(leaf[:], data[0][i*tlog.HashSize:])
			more, err := tlog.StoredHashesForRecordHash(n+int64(i), leaf, reader)
			if err != nil {
				return err
			}
			stored = append(stored, more...)
		}
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return errors.New("the tiles lead to another head")
	}
	return nil
}

// A witness that signs in Ed25519: `note` finds its lines, and asks it about them.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }
func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	return ed25519.Verify(w.key, []byte(message), signature[8:])
}

// The witnesses of a policy (C2SP tlog-policy) whose keys are of Ed25519.
func witnesses(policy string) (found []note.Verifier, err error) {
	const kind = 4
	for _, line := range strings.Split(policy, "\n") {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "witness" {
			continue
		}
		parts := strings.SplitN(words[2], "+", 3)
		if len(parts) != 3 {
			return nil, errors.New("a key of a witness cannot be read")
		}
		key, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || len(key) == 0 {
			return nil, errors.New("a key of a witness cannot be read")
		}
		if key[0] != kind || len(key) != 1+ed25519.PublicKeySize {
			continue
		}
		sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
		hash := binary.BigEndian.Uint32(sum[:])
		if fmt.Sprintf("%08x", hash) != parts[1] {
			return nil, errors.New("a key of a witness has another identifier")
		}
		found = append(found, witness{parts[0], hash, key[1:]})
	}
	return found, nil
}

// The proof of one entry (C2SP tlog-proof), under whose head every witness of the policy has signed.
func cosigned(proof, policy string, log note.Verifier, leaf tlog.Hash) error {
	wanted, err := witnesses(policy)
	if err != nil {
		return err
	}
	if len(wanted) == 0 {
		return errors.New("the policy names no witness")
	}
	above, text, found := strings.Cut(proof, "\n\n")
	lines := strings.Split(above, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	route, err := hashes(lines[2:])
	if err != nil {
		return err
	}
	tree, err := head(text, note.VerifierList(log))
	if err != nil {
		return err
	}
	for _, one := range wanted {
		// Fails where a signature of this witness is wrong, and where there is none.
		if _, err := note.Open([]byte(text), note.VerifierList(one)); err != nil {
			return fmt.Errorf("%s: %w", one.Name(), err)
		}
	}
	return tlog.CheckRecord(route, tree.N, tree.Hash, index, leaf)
}

func verify(path string) error {
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(path, name)) }
	line, err := read("log.vkey")
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(line)))
	if err != nil {
		return err
	}
	known := note.VerifierList(verifier)
	text, err := read("certificate.sigstore.json")
	if err != nil {
		return err
	}
	var certificate bundle
	if err := json.Unmarshal(text, &certificate); err != nil {
		return err
	}
	entry := certificate.VerificationMaterial.TlogEntries[0]
	now, err := head(entry.InclusionProof.Checkpoint.Envelope, known)
	if err != nil {
		return err
	}
	leaf, err := base64.StdEncoding.DecodeString(entry.CanonicalizedBody)
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(entry.LogIndex, 10, 64)
	if err != nil {
		return err
	}
	route, err := hashes(entry.InclusionProof.Hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(route, now.N, now.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	earlier, err := read("earlier.checkpoint")
	if err != nil {
		return err
	}
	before, err := head(string(earlier), known)
	if err != nil {
		return err
	}
	lines, err := read("consistency")
	if err != nil {
		return err
	}
	grown, err := hashes(strings.Fields(string(lines)))
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(grown, now.N, now.Hash, before.N, before.Hash); err != nil {
		return err
	}
	proof, err := read("certificate.tlog-proof")
	if err != nil {
		return err
	}
	policy, err := read("policy.tlog")
	if err != nil {
		return err
	}
	if err := cosigned(string(proof), string(policy), verifier, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	if err := replay(folder(path), now); err != nil {
		return err
	}
	tiles := tlog.TileHashReader(now, folder(path))
	stored, err := tiles.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return err
	}
	if stored[0] != tlog.RecordHash(leaf) {
		return errors.New("the tiles hold another entry")
	}
	return nil
}

func main() {
	for _, path := range os.Args[1:] {
		said := "accepted"
		if err := verify(path); err != nil {
			said = "refused: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Printf("%s\t%s\n", path, said)
	}
}
