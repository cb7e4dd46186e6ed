//go:build lab

package csi

import (
	"path/filepath"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// TestSanity runs the CSI community's conformance tests against both drivers, controller and
// node behind sockets of their own. It needs root and loop devices.
func TestSanity(t *testing.T) {
	needRoot(t)
	var contexts []*sanity.TestContext
	for _, name := range []string{RBD, CephFS} {
		dir := shortTempDir(t)
		stateDir := filepath.Join(dir, "state")
		cleanUpLater(t, stateDir)
		controller := "unix://" + filepath.Join(dir, "controller.sock")
		serveForTest(t, testDriver(t, name, "", stateDir).controller(), controller)
		node := "unix://" + filepath.Join(dir, "node.sock")
		serveForTest(t, testDriver(t, name, "node1", stateDir).nodePlugin(), node)

		config := sanity.NewTestConfig()
		config.Address, config.ControllerAddress = node, controller
		config.TargetPath = filepath.Join(dir, "target")
		config.StagingPath = filepath.Join(dir, "staging")
		config.TestVolumeSize = 1 << 30
		config.TestVolumeExpandSize = 2 << 30
		config.TestNodeVolumeAttachLimit = true
		ginkgo.Describe(name, func() { contexts = append(contexts, sanity.GinkgoTest(&config)) })
	}
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, "CSI drivers of the lab")
	for _, c := range contexts {
		c.Finalize()
	}
}
