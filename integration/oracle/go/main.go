// Answers template cases with the real engine: text/template, Sprig and consul-template as they are.
//
// JSON lines on standard input, the same lines with their answer on standard output; FIXTURE is the first argument,
// a folder for what writeToFile writes the second. The format is that of integration/corpus/templates.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"text/template"
	"time"
	"unicode/utf8"
	_ "unsafe"

	dep "github.com/hashicorp/consul-template/dependency"
	ct "github.com/hashicorp/consul-template/template"
)

// The moment that a fixture's clock shows.
var moment = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

//go:linkname now github.com/hashicorp/consul-template/template.now
var now func() time.Time

// What consul-template's own funcMap takes. Its Execute replaces secret values in error texts; the corpus has them
// in full, so that the table of functions is taken and the template is executed here.
type funcMapInput struct {
	newTmpl          *template.Template
	brain            *ct.Brain
	env              []string
	extFuncMap       map[string]interface{}
	functionDenylist []string
	sandboxPath      string
	destination      string
	used             *dep.Set
	missing          *dep.Set
	config           *struct{}
}

//go:linkname funcMap github.com/hashicorp/consul-template/template.funcMap
func funcMap(i *funcMapInput) template.FuncMap

type testCase struct {
	Tmpl       string   `json:"tmpl"`
	MissingKey string   `json:"missingkey"`
	Delims     []string `json:"delims"`
	Denylist   []string `json:"denylist"`
	TZ         string   `json:"tz"`
}

type answer map[string]any

const (
	longest = 20 * time.Second
	largest = 2 << 30
)

var started atomic.Int64

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: oracle FIXTURE FOLDER [TURNS] < CASES")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	world, err := readFixture(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Clearenv()
	log.SetOutput(io.Discard)
	time.Local = time.UTC
	syscall.Umask(0)
	now = func() time.Time { return moment }
	out := bufio.NewWriter(os.Stdout)
	// spew_dump prints there.
	os.Stdout, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	go watch()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	if len(os.Args) == 4 {
		turns, _ := strconv.Atoi(os.Args[3])
		fmt.Fprintln(out, world.time(in, turns).Nanoseconds())
		out.Flush()
		return
	}
	for in.Scan() {
		started.Store(time.Now().UnixNano())
		var c testCase
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		time.Local = time.UTC
		if zone, err := time.LoadLocation(c.TZ); err == nil && c.TZ != "" {
			time.Local = zone
		}
		first := world.answer(&c, os.Args[2])
		again := world.answer(&c, os.Args[2])
		if encode(first) != encode(again) {
			first = answer{"unstable": true}
		}
		out.WriteString(encode(first))
		out.WriteByte('\n')
		out.Flush()
		started.Store(0)
	}
}

// time parses and renders all cases so many times, with their data known.
func (f *fixture) time(in *bufio.Scanner, turns int) time.Duration {
	var all time.Duration
	for in.Scan() {
		var c testCase
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			panic(err)
		}
		brain := ct.NewBrain()
		for pass := 0; pass < 5; pass++ {
			var used, missing dep.Set
			f.render(&c, brain, &used, &missing)
			for _, d := range missing.List() {
				f.learn(brain, d)
			}
		}
		begin := time.Now()
		for turn := 0; turn < turns; turn++ {
			var used, missing dep.Set
			f.render(&c, brain, &used, &missing)
		}
		all += time.Since(begin)
	}
	return all
}

// A case that never ends, or eats all memory, ends the program: whoever asked sees that this answer is missing.
func watch() {
	for {
		time.Sleep(50 * time.Millisecond)
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		since := started.Load()
		if memory.HeapAlloc > largest || since != 0 && time.Now().UnixNano()-since > int64(longest) {
			os.Exit(3)
		}
	}
}

func encode(a answer) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(a); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func text(a answer, key string, b []byte) {
	if utf8.Valid(b) {
		a[key] = string(b)
	} else {
		a[key+"_b64"] = base64.StdEncoding.EncodeToString(b)
	}
}

func (f *fixture) answer(c *testCase, folder string) answer {
	brain := ct.NewBrain()
	seen := map[string]bool{}
	for {
		os.RemoveAll(folder)
		f.disk = disk{folder: folder, paths: map[string]string{}}
		var used, missing dep.Set
		out, phase, err := f.render(c, brain, &used, &missing)
		learned := false
		for _, d := range missing.List() {
			if !seen[d.String()] {
				seen[d.String()] = true
				learned = f.learn(brain, d) || learned
			}
		}
		// As an agent does not: a pass that failed for lack of data is repeated with the data.
		if learned && phase != "parse_error" {
			continue
		}
		a := answer{}
		if err != nil {
			a[phase] = err.Error()
			return a
		}
		text(a, "out", out)
		if files := f.disk.left(); len(files) > 0 {
			a["files"] = files
		}
		return a
	}
}

func (f *fixture) render(c *testCase, brain *ct.Brain, used, missing *dep.Set) ([]byte, string, error) {
	t := template.New("")
	if len(c.Delims) == 2 {
		t.Delims(c.Delims[0], c.Delims[1])
	}
	functions := funcMap(&funcMapInput{
		newTmpl: t, brain: brain, env: f.env, extFuncMap: extra, functionDenylist: c.Denylist,
		destination: "/vault/secrets/app", used: used, missing: missing,
	})
	if write, ok := functions["writeToFile"].(writer); ok {
		functions["writeToFile"] = f.disk.instead(write)
	}
	t.Funcs(functions)
	if c.MissingKey == "error" {
		t.Option("missingkey=error")
	} else {
		t.Option("missingkey=zero")
	}
	t, err := t.Parse(c.Tmpl)
	if err != nil {
		return nil, "parse_error", err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, nil); err != nil {
		return nil, "exec_error", err
	}
	return b.Bytes(), "", nil
}

type writer = func(path, user, group, permissions string, args ...string) (string, error)

// A folder that writeToFile takes for the whole disk, and the paths that templates gave to its files.
type disk struct {
	folder string
	paths  map[string]string
}

// instead writes below the folder, whatever the path.
func (d *disk) instead(write writer) writer {
	return func(path, user, group, permissions string, args ...string) (string, error) {
		below := filepath.Join(d.folder, path)
		d.paths[below] = path
		out, err := write(below, user, group, permissions, args...)
		if err != nil {
			err = errors.New(strings.ReplaceAll(err.Error(), d.folder, ""))
		}
		return out, err
	}
}

// What writeToFile left.
func (d *disk) left() []answer {
	var found []answer
	for below, path := range d.paths {
		info, err := os.Stat(below)
		if err != nil || info.IsDir() {
			continue
		}
		contents, err := os.ReadFile(below)
		if err != nil {
			continue
		}
		s := info.Sys().(*syscall.Stat_t)
		file := answer{
			"path": path, "mode": fmt.Sprintf("%04o", s.Mode&0o7777), "uid": s.Uid, "gid": s.Gid,
		}
		text(file, "content", contents)
		found = append(found, file)
	}
	sort.Slice(found, func(i, j int) bool { return found[i]["path"].(string) < found[j]["path"].(string) })
	return found
}
