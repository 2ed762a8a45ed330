package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	dep "github.com/hashicorp/consul-template/dependency"
	ct "github.com/hashicorp/consul-template/template"
)

// The world of a case, as integration/corpus/templates/fixture.json words it.
type fixture struct {
	env     []string
	secret  map[string]json.RawMessage
	secrets map[string]json.RawMessage
	pki     map[string]json.RawMessage
	files   map[string]string
	disk    disk
}

// Functions of the corpus that no agent has.
var extra = map[string]any{
	"pairs": func() []*dep.KeyPair {
		return []*dep.KeyPair{
			{Key: "es/a", Value: "1"}, {Key: "es/b", Value: "2"}, {Key: "redis/a/b", Value: "3"}, {Key: "top", Value: "t"},
		}
	},
	"mapSS":  func() map[string]string { return map[string]string{"a": "1"} },
	"nilmap": func() map[string]any { return nil },
}

func readFixture(text []byte) (*fixture, error) {
	var root struct {
		Env     map[string]string          `json:"env"`
		Secret  map[string]json.RawMessage `json:"secret"`
		Secrets map[string]json.RawMessage `json:"secrets"`
		PKI     map[string]json.RawMessage `json:"pkiCert"`
		Files   map[string]string          `json:"files"`
	}
	if err := json.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	f := &fixture{secret: map[string]json.RawMessage{}, secrets: root.Secrets, pki: root.PKI, files: root.Files}
	for k, v := range root.Env {
		f.env = append(f.env, k+"="+v)
	}
	for names, v := range root.Secret {
		for _, name := range strings.Split(names, " and ") {
			f.secret[name] = v
		}
	}
	return f, nil
}

var asked = regexp.MustCompile(`(?s)^(vault\.read|vault\.write|vault\.list|vault\.pki|file)\((.*)\)$`)
var version = regexp.MustCompile(`\.v[^/]*$`)

// learn puts the answer to a request into the brain, if there is one.
func (f *fixture) learn(brain *ct.Brain, d dep.Dependency) bool {
	m := asked.FindStringSubmatch(d.String())
	if m == nil {
		return false
	}
	switch m[1] {
	case "vault.read":
		raw, ok := f.secret[m[2]]
		if !ok {
			raw, ok = f.secret[version.ReplaceAllString(m[2], "")]
		}
		return ok && f.remember(brain, d, raw)
	case "vault.write":
		// A query is no query here, but the fixture finds the same answer as for a read.
		path, _, _ := strings.Cut(m[2][:strings.LastIndex(m[2], " -> ")], "?")
		raw, ok := f.secret[path]
		return ok && f.remember(brain, d, raw)
	case "vault.list":
		var names []string
		if err := json.Unmarshal(f.secrets[m[2]], &names); err == nil {
			brain.Remember(d, names)
		} else {
			brain.Remember(d, []string(nil))
		}
		return true
	case "vault.pki":
		path := m[2][:strings.LastIndex(m[2], "->")]
		raw, ok := f.pki[path]
		if !ok && path != "none" {
			raw, ok = f.pki["_other"]
		}
		var pem dep.PemEncoded
		if !ok || json.Unmarshal(raw, &pem) != nil {
			return false
		}
		brain.Remember(d, pem)
		return true
	default:
		contents, ok := f.files[m[2]]
		if ok {
			brain.Remember(d, contents)
		}
		return ok
	}
}

func (f *fixture) remember(brain *ct.Brain, d dep.Dependency, raw json.RawMessage) bool {
	if len(raw) == 0 || raw[0] != '{' {
		brain.Remember(d, (*dep.Secret)(nil))
		return true
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var root map[string]any
	if err := decoder.Decode(&root); err != nil {
		panic(err)
	}
	root = numbers(root).(map[string]any)
	secret := &dep.Secret{
		RequestID: str(root["RequestID"]), LeaseID: str(root["LeaseID"]),
		LeaseDuration: whole(root["LeaseDuration"]), Renewable: root["Renewable"] == true,
		Warnings: strs(root["Warnings"]),
	}
	if data, ok := root["Data"].(map[string]any); ok {
		secret.Data = data
	}
	if auth, ok := root["Auth"].(map[string]any); ok {
		secret.Auth = &dep.SecretAuth{
			ClientToken: str(auth["ClientToken"]), Accessor: str(auth["Accessor"]), Policies: strs(auth["Policies"]),
			LeaseDuration: whole(auth["LeaseDuration"]), Renewable: auth["Renewable"] == true,
		}
		if metadata, ok := auth["Metadata"].(map[string]any); ok {
			secret.Auth.Metadata = map[string]string{}
			for k, v := range metadata {
				secret.Auth.Metadata[k] = str(v)
			}
		}
	}
	brain.Remember(d, secret)
	return true
}

// numbers turns {"$number": "x"} into numbers.
func numbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if text, ok := v["$number"].(string); ok && len(v) == 1 {
			return json.Number(text)
		}
		for key := range v {
			v[key] = numbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	}
	return value
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func strs(v any) []string {
	var all []string
	list, _ := v.([]any)
	for _, item := range list {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

func whole(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}
