// `golang.org/x/mod/sumdb/note` and `tlog` over exported certificates: the checkpoint and the one
// before it, inclusion of the log entry, consistency of both heads, and the log's tiles, from which
// the head is computed again.
//
// usage: tlog CASE...
// Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
package main

import (
	"encoding/base64"
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
