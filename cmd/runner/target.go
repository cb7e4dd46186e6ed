package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/suites/custom"
)

// Variables in which GitLab holds access to a cluster (items 7.2.1.4 and 7.2.1.5).
const (
	kubeConfigVariable  = "KUBE_CONFIG"
	kubeContextVariable = "KUBE_CONTEXT"
)

// target is what several commands need to know: the answers file and the cluster.
type target struct {
	answers    string
	kubeconfig string
	context    string
	namespace  string
}

func (t *target) bind(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVarP(&t.answers, "answers", "a", "answers.yaml", "answers `file`: what should be there")
	t.bindCluster(command)
}

func (t *target) bindCluster(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&t.kubeconfig, "kubeconfig", "", "kubeconfig `file` (default: KUBECONFIG, KUBE_CONFIG in base64, in-cluster, ~/.kube/config)")
	flags.StringVar(&t.context, "context", "", "context in the kubeconfig (default: KUBE_CONTEXT, then the current one)")
	flags.StringVarP(&t.namespace, "namespace", "n", "", "namespace to work in (default: cluster.namespace of the answers file)")
}

// load reads the catalogue and the answers file, and makes the file's path absolute.
func (t *target) load() (*checklist.Catalogue, *answers.File, error) {
	catalogue, err := checklist.Load()
	if err != nil {
		return nil, nil, err
	}
	path, err := filepath.Abs(t.answers)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("no answers file: %w; write one with: runner init > %s", err, t.answers)
	}
	file, err := answers.Load(path)
	if err != nil {
		return nil, nil, err
	}
	if err := custom.Validate(file); err != nil {
		return nil, nil, err
	}
	t.answers = path
	return catalogue.With(check.CustomSubsection, file.CustomItems()), file, nil
}

func (t *target) contextName() string { return orElse(t.context, os.Getenv(kubeContextVariable)) }

func (t *target) namespaceName(file *answers.File) string {
	return orElse(t.namespace, file.Cluster.Namespace)
}

// kubeconfigFile returns the kubeconfig's absolute path, "" for the default places. The
// content of KUBE_CONFIG goes to a private file, which forget removes. Content that is no
// base64 is passed on as it is: whether it can be used is a finding, not wrong use.
func (t *target) kubeconfigFile() (path string, forget func(), err error) {
	forget = func() {}
	if t.kubeconfig != "" {
		path, err = filepath.Abs(t.kubeconfig)
		return path, forget, err
	}
	if list := os.Getenv("KUBECONFIG"); list != "" {
		var paths []string
		for _, p := range filepath.SplitList(list) {
			if p, err = filepath.Abs(p); err != nil {
				return "", forget, err
			}
			paths = append(paths, p)
		}
		return strings.Join(paths, string(os.PathListSeparator)), forget, nil
	}
	held := strings.TrimSpace(os.Getenv(kubeConfigVariable))
	if held == "" {
		return "", forget, nil
	}
	content, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(held), ""))
	if err != nil {
		content = []byte(held)
	}
	file, err := os.CreateTemp("", "kubeconfig-*")
	if err != nil {
		return "", forget, fmt.Errorf("keep %s in a private file: %w", kubeConfigVariable, err)
	}
	forget = func() { os.Remove(file.Name()) }
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		forget()
		return "", func() {}, fmt.Errorf("keep %s in a private file: %w", kubeConfigVariable, err)
	}
	return file.Name(), forget, nil
}
