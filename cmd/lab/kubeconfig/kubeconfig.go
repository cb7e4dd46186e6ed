// Package kubeconfig writes kubeconfig files for the lab's cluster.
package kubeconfig

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Context is the name of the one context in each file.
const Context = "lab"

// User is who a kubeconfig speaks for: a client certificate or a token.
type User struct {
	Name        string
	Certificate pki.Pair
	Token       string
}

// Write stores a kubeconfig for user at path, everything embedded, readable by the owner
// only. namespace is the context's; empty leaves it out.
func Write(dir state.Dir, path, namespace string, user User) error {
	ca, err := os.ReadFile(dir.PKI(pki.ClusterCA) + ".crt")
	if err != nil {
		return fmt.Errorf("the cluster's CA: %w: run `lab up`", err)
	}
	config := api.NewConfig()
	config.Clusters["lab"] = &api.Cluster{Server: topology.APIServer, CertificateAuthorityData: ca}
	config.AuthInfos[user.Name] = &api.AuthInfo{
		ClientCertificateData: user.Certificate.Certificate,
		ClientKeyData:         user.Certificate.Key,
		Token:                 user.Token,
	}
	config.Contexts[Context] = &api.Context{Cluster: "lab", AuthInfo: user.Name, Namespace: namespace}
	config.CurrentContext = Context
	content, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// Component is the kubeconfig of a part of the cluster, below .lab/pki.
func Component(dir state.Dir, name string) string { return dir.PKI(name + ".kubeconfig") }

// WriteComponents writes a kubeconfig for each part of the cluster and the administrator's.
func WriteComponents(dir state.Dir) error {
	paths := map[string]string{pki.Admin: dir.AdminKubeconfig()}
	for _, name := range []string{pki.ControllerManager, pki.Scheduler, pki.Proxy} {
		paths[name] = Component(dir, name)
	}
	for _, node := range topology.Nodes() {
		paths[pki.Kubelet(node.Name)] = Component(dir, pki.Kubelet(node.Name))
	}
	for name, path := range paths {
		pair, err := readPair(dir.PKI(name))
		if err != nil {
			return err
		}
		if err := Write(dir, path, "", User{Name: name, Certificate: pair}); err != nil {
			return err
		}
	}
	return nil
}

func readPair(path string) (pki.Pair, error) {
	certificate, err := os.ReadFile(path + ".crt")
	if err != nil {
		return pki.Pair{}, err
	}
	key, err := os.ReadFile(path + ".key")
	return pki.Pair{Certificate: certificate, Key: key}, err
}
