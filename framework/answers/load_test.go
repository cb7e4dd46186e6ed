package answers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const head = "apiVersion: conformance.aiv.internal/v1\nkind: Answers\n"

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("/etc/aiv/answers.yaml", []byte(head+text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLoad(t *testing.T) {
	f := parse(t, `
cluster:
  version: 1.30
  cpuNodes: 0
  contact: {name: Platform, mail: platform@aiv.internal}
prometheus: {operator: No, installed: true}
registry:
  url: registry.aiv.internal:5000
  caFile: ca.pem
  password: {file: secrets/password}
storageClass: {backend: cephfs, accessModes: [ReadWriteOnce, ReadWriteMany]}
storageQuotas: {perUser: 10Gi, expansion: {by: Jane, on: 2026-11-16, evidence: DOC-1}}
groups: {other: []}
gitlab: {token: &token {env: GITLAB_TOKEN}}
grafana: {login: {token: *token}}
support: {sla: {by: Jane, uptime: 99.9 %, response: 1h30m}}
compliance: {retention: {period: 10y}}
deployment: {window: {start: 2027-01-16 18:00 Europe/Berlin, duration: 4h}}
runner: {tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]}
dns:
waivers: [{id: 6.2.3, reason: later, approvedBy: Jane, expires: 2027-01-31}]
`)
	if f.Cluster.Version != "1.30" || *f.Cluster.CPUNodes != 0 || f.Cluster.GPUNodes != nil {
		t.Errorf("cluster: %+v", f.Cluster)
	}
	if *f.Prometheus.Operator || !*f.Prometheus.Installed {
		t.Error("yes and no of the checklist")
	}
	if f.Registry.CAFile != "/etc/aiv/ca.pem" || f.Registry.Password.File != "/etc/aiv/secrets/password" {
		t.Errorf("relative paths: %+v", f.Registry)
	}
	if f.StorageQuotas.PerUser.Value() != 10<<30 || f.StorageQuotas.Expansion.On.String() != "2026-11-16" {
		t.Errorf("quotas: %+v", f.StorageQuotas)
	}
	if f.Grafana.Login.Token.Env != "GITLAB_TOKEN" {
		t.Error("an alias stands for its anchor")
	}
	if f.Support.SLA.Uptime != 99.9 || f.Support.SLA.By != "Jane" || f.Support.SLA.Response.Minutes() != 90 {
		t.Errorf("SLA: %+v", f.Support.SLA)
	}
	if f.Compliance.Retention.Period.Hours() != 10*365*24 {
		t.Errorf("retention: %v", f.Compliance.Retention.Period)
	}
	if got := f.Deployment.Window.Start.UTC().Hour(); got != 17 {
		t.Errorf("18:00 in Berlin is %d:00 UTC", got)
	}
	if f.Runner.Tolerations[0].Key != "gpu" {
		t.Errorf("tolerations: %+v", f.Runner.Tolerations)
	}
	for path, want := range map[string]bool{
		"cluster.version": true, "cluster.cpuNodes": true, "cluster.gpuNodes": false, "groups.other": true, "cluster.contact": true,
		"registry.password": true, "registry.username": false, "storageQuotas.expansion": true, "storageQuotas.perUser": true,
		"storageQuotas.shared": false, "dns": false, "nothing.at.all": false, "gitlab.token": true, "entra.clientSecret": false,
	} {
		if _, set := f.At(path); set != want {
			t.Errorf("%s: set is %t", path, set)
		}
	}
	if Section[Registry](f).URL != "registry.aiv.internal:5000" || Section[Cluster](f).Version != "1.30" {
		t.Error("sections are found by their type")
	}
	if got := f.Contact("cluster").String(); got != "Platform, platform@aiv.internal" {
		t.Errorf("contact: %s", got)
	}
	if w, ok := f.Waiver("6.2.3"); !ok || w.ApprovedBy != "Jane" {
		t.Errorf("waiver: %+v", w)
	}
	if secrets := f.Secrets(); len(secrets) != 3 || secrets[0].Path != "registry.password" {
		t.Errorf("secrets: %+v", secrets)
	}
	if contacts := f.Contacts(); len(contacts) != 30 || contacts[0].Path != "cluster.contact" {
		t.Errorf("%d contacts: %+v", len(contacts), contacts)
	}
}

// canary stands where somebody wrote a credential; no error may repeat it.
const canary = "hunter2CANARY"

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":              {"cluster:\n  versoin: " + canary, `answers.yaml:4:3: unknown key "versoin" below cluster; did you mean "version"?` + "\n    4 |   versoin: [hidden]\n      |   ^"},
		"unknown section":          {"clutser: {}", `3:1: unknown key "clutser"; did you mean "cluster"?`},
		"list for mapping":         {"cluster: [1]", "cluster: a list stands where keys and values are expected"},
		"text for number":          {"cluster: {cpuNodes: six}", `cluster.cpuNodes: the text "six" stands where a whole number is expected`},
		"negative number":          {"cluster: {cpuNodes: -1}", "whole number"},
		"number for text":          {"registry: {username: 12345}", `write "12345" in quotes`},
		"bool for text":            {"gpu: {nodeSelector: {nvidia.com/gpu.present: true}}", `write "true" in quotes`},
		"text for bool":            {"prometheus: {installed: maybe}", `the text "maybe" stands where yes or no is expected`},
		"scalar for list":          {"dns: {servers: 10.0.0.53}", "where a list is expected"},
		"duplicate":                {"cluster:\n  version: 1.33\n  version: 1.34", `5:3`},
		"enum":                     {"storageClass: {backend: ceph-rdb}", `"ceph-rdb" is none of ceph-rbd, cephfs, ceph-s3, nfs, other; did you mean "ceph-rbd"?`},
		"quantity":                 {"storageQuotas: {perUser: 10 GB}", `"10 GB" is no amount; it is written 10Gi`},
		"duration":                 {"backup: {rto: four hours}", `"four hours" is no length of time`},
		"date":                     {"entra: {secretExpires: 30.06.2027}", `"30.06.2027" is no date; it is written 2026-11-23`},
		"impossible date":          {"entra: {secretExpires: 2027-02-30}", "is no date"},
		"moment":                   {"deployment: {window: {start: 2027-01-16 18:00}}", "no moment with a time zone"},
		"guid":                     {"entra: {clientId: 1234}", "write \"1234\" in quotes"},
		"guid form":                {"entra: {clientId: abcd-ef}", "is no ID; it is written aaaaaaaa-"},
		"version":                  {"cluster: {version: latest}", `"latest" is no version`},
		"address":                  {"ingress: {vip: 10.0.0.256}", "is no IP address"},
		"further address":          {"ingress: {otherAddresses: [lb.aiv.internal]}", "is no IP address"},
		"url":                      {"gitlab: {url: gitlab.aiv.internal}", "it starts with https://"},
		"registry with scheme":     {"registry: {url: https://registry.aiv.internal}", "without https://"},
		"percent":                  {"support: {sla: {uptime: 120}}", "is no share"},
		"cron":                     {"backup: {schedule: nightly}", "schedule of five fields"},
		"literal secret":           {"registry:\n  password: " + canary, "registry.password: a credential itself has no place in this file, only a reference to it: {env: NAME}"},
		"literal in quotes":        {"registry: {username: x, password: \"" + canary + "\"}", "no place in this file"},
		"literal of several lines": {"certificates:\n  privateKey: |\n    " + canary, "no place in this file"},
		"literal list":             {"registry: {password: [" + canary + "]}", "no place in this file"},
		"literal number":           {"registry: {password: 123456}", "no place in this file"},
		"literal under value":      {"registry: {password: {value: " + canary + "}}", `"value" is no kind of reference`},
		"literal as name":          {"registry: {password: {env: \"" + canary + "!\"}}", "this is no reference"},
		"two references":           {"registry: {password: {env: A, file: b}}", "no reference"},
		"tagged literal":           {"registry:\n  password: !!str " + canary, "tags such as"},
		"misspelled secret":        {"registry:\n  pasword: " + canary, `did you mean "password"`},
		"secret in address":        {"gitlab: {url: \"https://user:" + canary + "@gitlab.aiv.internal\"}", "it holds a password"},
		"secret in registry":       {"registry: {url: \"user:" + canary + "@registry\"}", "it holds a password"},
		"secret before a mistake":  {"registry: {pw_token: " + canary + ", url: 5}", "write \"5\" in quotes"},
		"secret header":            {"custom: [{id: a, title: A, http: {url: https://x.y, headers: {Authorization: Basic " + canary + "}}}]", "sounds like a credential"},
		"secret argument":          {"custom: [{id: a, title: A, image: {image: i, args: [--password=" + canary + "]}}]", "it holds a credential"},
		"secret of another place":  {"custom: [{id: a, title: A, image: {image: i, env: {TOKEN: {env: TOKEN}}}}]", "a Secret of the pod's namespace"},
		"broken yaml":              {"registry:\n  password: \"" + canary, "is no valid YAML"},
		"broken continuation":      {"registry:\n  password: a\n " + canary + "\n  b: [", "is no valid YAML"},
		"two documents":            {"---\n" + head, "second one starts here"},
		"unknown anchor":           {"cluster: *other", "no anchor"},
		"unknown waiver":           {"waivers: [{id: 6.9.3, reason: r, approvedBy: a, expires: 2027-01-01}]", `there is no item 6.9.3; did you mean`},
		"incomplete waiver":        {"waivers:\n  - {id: 6.2.3, reason: r, expires: 2027-01-01}", `answers.yaml:4:5: waivers[0]: "approvedBy" is missing: who decided so`},
		"waived twice":             {"waivers: [{id: 6.2.3, reason: r, approvedBy: a, expires: 2027-01-01}, {id: 6.2.3, reason: r, approvedBy: a, expires: 2027-01-01}]", "waived twice"},
		"waived option":            {"waivers: [{id: 2.2.2.1, reason: r, approvedBy: a, expires: 2027-01-01}]", "waive 2.2.2"},
		"waived group":             {"waivers: [{id: 6.1.4, reason: r, approvedBy: a, expires: 2027-01-01}]", "waive those"},
		"custom without check":     {"custom: [{id: a, title: A}]", "exactly one of object, http, target and image"},
		"custom of bad name":       {"custom: [{id: A b, title: A, target: {dns: x.y}}]", "short name"},
		"custom twice":             {"custom: [{id: a, title: A, target: {dns: x.y}}, {id: a, title: B, target: {dns: x.y}}]", "another check already"},
		"user in address":          {"gitlab: {url: \"https://" + canary + "@gitlab.aiv.internal\"}", "gitlab.url: it holds a password or user name"},
		"secret in query":          {"custom:\n- id: a\n  title: A\n  http:\n    url: https://x.y/q?a=1&api_key=" + canary, "answers.yaml:7:10: custom[0].http.url: its query holds a credential"},
		"signature in query":       {"compliance: {audit: {queryUrl: \"https://x.y/q?sig=" + canary + "\"}}", "its query holds a credential"},
		"escaped name in query":    {"grafana: {url: \"https://x.y/?pass%77ord=" + canary + "\"}", "its query holds a credential"},
		"secret in evidence":       {"support: {team: {evidence: \"https://x.y/?token=" + canary + "\"}}", "its query holds a credential"},
		"secret header in clear":   {"custom:\n- id: a\n  title: A\n  http:\n    url: http://x.y\n    headers: {X-Token: {env: T}}", "answers.yaml:7:10: custom[0].http.url: a credential is sent there"},
		"bearer in the clear":      {"custom: [{id: a, title: A, http: {url: http://x.y, bearer: {env: T}}}]", "starts with https://"},
		"password in the clear":    {"custom: [{id: a, title: A, http: {url: HTTP://x.y, username: u, password: {env: T}}}]", "starts with https://"},
		"login in the clear":       {"compliance:\n  audit:\n    queryUrl: http://loki.aiv.internal\n    login: {token: {env: T}}", "answers.yaml:5:15: compliance.audit.queryUrl: a credential is sent there"},
		"custom of long name":      {"custom:\n- id: " + strings.Repeat("a", 60) + "\n  title: A\n  target: {dns: x.y}", "answers.yaml:4:7: custom[0].id:"},
		"custom method":            {"custom: [{id: a, title: A, http: {url: https://x.y, method: DELETE}}]", "none of GET, HEAD, OPTIONS"},
		"custom regexp":            {"custom: [{id: a, title: A, http: {url: https://x.y, expectBody: '('}}]", "no regular expression"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("answers.yaml", []byte(head+tc.text+"\n"))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got:\n%v\nexpected to contain:\n%s", err, tc.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the credential is repeated:\n%v", err)
			}
			var one *Error
			if !errors.As(err, &one) || one.Line == 0 || one.Column == 0 || one.File != "answers.yaml" {
				t.Errorf("no place in %#v", err)
			}
		})
	}
}

// What only sounds like a mistake is none.
func TestAddressesThatArePermitted(t *testing.T) {
	parse(t, `
support: {team: {evidence: "Ticket 5: https://x.y"}}
custom:
- {id: `+strings.Repeat("a", 59)+`, title: A, http: {url: "http://x.y/?page=2&token="}}
- {id: b, title: B, http: {url: https://x.y, bearer: {env: T}}}
- {id: c, title: C, http: {url: http://x.y, headers: {Accept: text/plain}}}
`)
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := Parse("answers.yaml", []byte(head+"registry:\n  password: a\n  url: 5\ncluster: {version: x, cpuNodes: y}\n"))
	var all Errors
	if !errors.As(err, &all) || len(all) != 4 || all[0].Line != 4 || all[3].Line != 6 {
		t.Errorf("got %v", err)
	}
}

func TestVersionOfTheFile(t *testing.T) {
	for text, want := range map[string]string{
		"":                              `it needs "apiVersion: conformance.aiv.internal/v1"`,
		"apiVersion: v2\nkind: Answers": `answers.yaml:1:13`,
		"apiVersion: conformance.aiv.internal/v1\nkind: Answer": `it needs "kind: Answers"`,
	} {
		if _, err := Parse("answers.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestWrong(t *testing.T) {
	f := parse(t, "custom:\n  - id: a\n    title: A\n    object: {apiVersion: v1, kind: Pod, name: x, expect: 'object.'}\n")
	if got := f.Wrong("custom[0].object.expect", "no CEL").Error(); !strings.HasPrefix(got, "/etc/aiv/answers.yaml:6:58: custom[0].object.expect: no CEL") {
		t.Error(got)
	}
	if items := f.CustomItems(); len(items) != 1 || items[0].ID != "N.2.a" || items[0].Title != "A" {
		t.Errorf("items: %+v", items)
	}
}

func TestLoadReadsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answers.yaml")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}
