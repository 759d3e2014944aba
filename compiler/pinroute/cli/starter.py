"""The spec that `pinroute init` writes: complete, valid, and with the next steps beside it."""

STARTER = """\
# yaml-language-server: $schema=https://pinroute.dev/schemas/affinityexperiment.v1alpha1.schema.json
#
# Check it with 'pinroute validate', see it work with 'pinroute try', and compile it with
# 'pinroute compile'. 'pinroute explain spec.groups' describes a field.
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata:
  name: my-experiment
  namespace: default
spec:
  stage: experiment                   # observe | experiment | promote-v1 | promote-v2 | done
  route:
    hosts: [example.com]
    gateways: [istio-system/public]   # namespace/name; without gateways: the mesh
  userHash:
    from: {header: userhash}          # set by your edge, the same for a user on every device
    alphabet: binary
    digits: 10
  versions:
  - name: app-v1
    service: {host: app-v1, port: 80}
  - name: app-v2
    service: {host: app-v2, port: 80}
  baseline: app-v1
  groups:                             # each prefix is a block of users: 1/8 of them for three digits
  - {name: control, version: app-v1, prefixes: ["111"]}
  - {name: treatment, version: app-v2, prefixes: ["101"]}
"""
