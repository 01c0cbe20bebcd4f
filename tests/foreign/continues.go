// `golang.org/x/mod/sumdb/note` and `tlog` over an exported log: whether the head of its files
// continues a head that was signed before.
//
// usage: continues VKEYS EARLIER FOLDER
// VKEYS has a line for each key of the log, EARLIER is a signed head, FOLDER has `checkpoint` and
// `tile/…`. Prints `continues EARLIER-SIZE SIZE` or `refused: WHY`.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The head that a signed note states.
func head(path string, known note.Verifiers) (tree tlog.Tree, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(text, known)
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 3 || lines[0] != opened.Sigs[0].Name {
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

func verify(keys, earlier, files string) (before, now tlog.Tree, err error) {
	lines, err := os.ReadFile(keys)
	if err != nil {
		return before, now, err
	}
	var verifiers []note.Verifier
	for _, line := range strings.Fields(string(lines)) {
		// Keys of other algorithms are none of this library's.
		if verifier, err := note.NewVerifier(line); err == nil {
			verifiers = append(verifiers, verifier)
		}
	}
	known := note.VerifierList(verifiers...)
	if before, err = head(earlier, known); err != nil {
		return before, now, fmt.Errorf("the earlier head: %w", err)
	}
	if now, err = head(filepath.Join(files, "checkpoint"), known); err != nil {
		return before, now, fmt.Errorf("the head: %w", err)
	}
	proof, err := tlog.ProveTree(now.N, before.N, tlog.TileHashReader(now, folder(files)))
	if err != nil {
		return before, now, err
	}
	return before, now, tlog.CheckTree(proof, now.N, now.Hash, before.N, before.Hash)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: continues VKEYS EARLIER FOLDER")
		os.Exit(2)
	}
	before, now, err := verify(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Println("refused: " + strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
	fmt.Printf("continues %d %d\n", before.N, now.N)
}
