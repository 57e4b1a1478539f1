{{/* Privet's container and its volumes, wherever they stand. */}}

{{- define "privet.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
# Lets Privet, and no other user, read the keyring.
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "privet.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "privet.container" -}}
name: privet
image: {{ include "privet.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [run, --config, /etc/privet/config/privet.yaml, --log, {{ .Values.log }}]
{{- if or .Values.env .Values.audit.enabled }}
env:
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if .Values.audit.enabled }}
  - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  {{- end }}
{{- end }}
ports:
  - {name: otlp-grpc, containerPort: {{ .Values.listen.port }}, protocol: TCP}
  - {name: admin, containerPort: {{ .Values.listen.adminPort }}, protocol: TCP}
startupProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 3
readinessProbe:
  {{- if and .Values.readiness.destinations (ne .Values.mode "sidecar") }}
  # A command and not a request: of its words the pod's events and status show why it is not ready.
  exec: {command: [/usr/bin/privet, health, --destinations, --admin, {{ printf "%s:%v" (hasPrefix "[" .Values.listen.address | ternary "[::1]" "127.0.0.1") .Values.listen.adminPort | quote }}]}
  {{- else }}
  httpGet: {path: /readyz, port: admin}
  {{- end }}
  periodSeconds: 5
  timeoutSeconds: 4
resources:
  {{- toYaml .Values.resources | nindent 2 }}
# Why it ended stands in the pod's status, not in the log alone.
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "privet.securityContext" . | nindent 2 }}
volumeMounts:
  - {name: privet-config, mountPath: /etc/privet/config, readOnly: true}
  # The whole folder: a file mounted alone (subPath) would never change.
  - {name: privet-policy, mountPath: /etc/privet/policy, readOnly: true}
  - {name: privet-keyring, mountPath: /etc/privet/keys, readOnly: true}
  {{- if .Values.destination.existingSecret }}
  - {name: privet-destination, mountPath: /etc/privet/destination, readOnly: true}
  {{- end }}
  {{- if .Values.destination.tls.existingSecret }}
  - {name: privet-tls, mountPath: /etc/privet/tls, readOnly: true}
  {{- end }}
  {{- if .Values.audit.enabled }}
  - {name: privet-audit, mountPath: /var/lib/privet, subPathExpr: $(POD_NAME)}
  {{- end }}
{{- end }}

{{- define "privet.volumes" -}}
- name: privet-config
  configMap: {name: {{ include "privet.fullname" . }}}
- name: privet-policy
  configMap: {name: {{ include "privet.policyConfigMap" . }}}
{{- with .Values.keyring }}
- name: privet-keyring
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: keyring}]
{{- end }}
{{- with .Values.destination.existingSecret }}
- name: privet-destination
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.destination.tls.existingSecret }}
- name: privet-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if .Values.audit.enabled }}
- name: privet-audit
  {{- toYaml (default (dict "emptyDir" dict) .Values.audit.volume) | nindent 2 }}
{{- end }}
{{- end }}

{{/* A native sidecar: first in a pod's initContainers. Starts before all else, is ready before all else, stops after all else. */}}
{{- define "privet.sidecar" -}}
{{ include "privet.container" . }}
restartPolicy: Always
{{- end }}

{{/* Containers that do nothing but read a policy, one for each destination that has its own: where it is bad, the pod says
     so and what ran before goes on. */}}
{{- define "privet.policyChecks" -}}
{{- range $index, $it := prepend .Values.moreDestinations (dict "name" "main" "policy" (list .Values.policy.key)) }}
{{- with $it.policy }}
- name: {{ eq $index 0 | ternary "policy" (printf "policy-%s" $it.name) }}
  image: {{ include "privet.image" $ | quote }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  args:
    - check
    {{- range . }}
    - /etc/privet/policy/{{ . }}
    {{- end }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {memory: 128Mi}
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- include "privet.securityContext" $ | nindent 4 }}
  volumeMounts:
    - {name: privet-policy, mountPath: /etc/privet/policy, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{/* The pod of a workload. */}}
{{- define "privet.pod" -}}
metadata:
  labels:
    {{- include "privet.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # The policy is not in it: it is read again while Privet runs.
    checksum/config: {{ include "privet.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    {{- include "privet.podSecurityContext" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  initContainers:
    {{- include "privet.policyChecks" . | trim | nindent 4 }}
  containers:
    - {{- include "privet.container" . | nindent 6 }}
      {{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}
      # Until every node knows that this pod is no endpoint any more, agents still come.
      lifecycle: {preStop: {sleep: {seconds: 3}}}
      {{- end }}
  volumes:
    {{- include "privet.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
