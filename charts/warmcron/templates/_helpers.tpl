{{/* The short name of the chart's objects. */}}
{{- define "warmcron.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The name of the objects: of the release, with the chart's name unless it is in there already. */}}
{{- define "warmcron.fullname" -}}
{{- $name := include "warmcron.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The labels by which one component's pods are selected. Argument: root, component. */}}
{{- define "warmcron.selectorLabels" -}}
app.kubernetes.io/name: {{ include "warmcron.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* The labels of an object; built as a map, so that nobody's label stands there twice. Argument: root, component. */}}
{{- define "warmcron.labels" -}}
{{- $own := include "warmcron.selectorLabels" . | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/part-of" "warmcron" }}
{{- $_ := set $own "app.kubernetes.io/version" (.root.Chart.AppVersion | toString) }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") }}
{{- toYaml (merge $own .root.Values.commonLabels) }}
{{- end }}

{{/* The labels of a pod. No version: a new chart alone restarts nothing. Argument: root, component, extra. */}}
{{- define "warmcron.podLabels" -}}
{{- $own := include "warmcron.selectorLabels" . | fromYaml }}
{{- toYaml (merge $own (default dict .extra) .root.Values.commonLabels) }}
{{- end }}

{{/* An image's full name. Argument: root, image. */}}
{{- define "warmcron.image" -}}
{{- $registry := default .root.Values.image.registry .image.registry }}
{{- $name := .image.repository }}
{{- if $registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $registry) $name }}{{ end }}
{{- if .image.digest }}
{{- printf "%s@%s" $name .image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion .image.tag) }}
{{- end }}
{{- end }}

{{- define "warmcron.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "warmcron.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.create is false: set serviceAccount.name to the ServiceAccount to use." .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "warmcron.callbackSecretName" -}}
{{- default (printf "%s-callback-key" (include "warmcron.fullname" .)) .Values.callbackKey.existingSecret }}
{{- end }}

{{/*
The callback key in base64: the one that the release has, else a new one. Drawn once for a render, so that the Secret
and the checksum speak of the same key; therefore it is noted in the values.
*/}}
{{- define "warmcron.callbackKey" -}}
{{- if not (hasKey .Values.callbackKey "current") }}
{{- $name := include "warmcron.callbackSecretName" . }}
{{- $secret := lookup "v1" "Secret" .Release.Namespace $name | default dict }}
{{- $kept := get (default dict (get $secret "data")) .Values.callbackKey.secretKey }}
{{- $_ := set .Values.callbackKey "current" (default (randAlphaNum 64 | b64enc) $kept) }}
{{- end }}
{{- .Values.callbackKey.current }}
{{- end }}

{{/* What every pod of the chart may do to its node: nothing. */}}
{{- define "warmcron.signingSecretName" -}}
{{- default (printf "%s-signing-keys" (include "warmcron.fullname" .)) .Values.signing.existingSecret }}
{{- end }}

{{- define "warmcron.publicKeysName" -}}
{{- printf "%s-public-keys" (include "warmcron.fullname" .) }}
{{- end }}

{{/*
The private keys by file name, in base64: those that the release has, else new ones. Drawn once for a render, as the
callback key is, so that the Secret, the ConfigMap and the checksum speak of the same keys.
*/}}
{{- define "warmcron.signingKeys" -}}
{{- if not (hasKey .Values.signing "current") }}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "warmcron.signingSecretName" .) | default dict }}
{{- $found := dict }}
{{- range .Values.signing.keys }}
{{- $file := printf "%s.pem" . }}
{{- $kept := get (default dict (get $secret "data")) $file }}
{{- $_ := set $found $file (default (genPrivateKey "ed25519" | b64enc) $kept) }}
{{- end }}
{{- $_ := set .Values.signing "current" $found }}
{{- end }}
{{- toYaml .Values.signing.current }}
{{- end }}

{{/*
The public half of a private key in PEM, as whpk_... Helm has no function for it, but makes a certificate with the key:
in its DER, the 32 bytes of an Ed25519 public key follow the fixed bytes that say that one comes (RFC 8410).
*/}}
{{- define "warmcron.publicKey" -}}
{{- $pem := (genSelfSignedCertWithKey "warmcron" nil nil 1 .).Cert }}
{{- $der := regexReplaceAll "-----[A-Z ]+-----|\\s" $pem "" | b64dec }}
{{- $parts := splitList "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" $der }}
{{- if ne (len $parts) 2 }}
{{- fail "a key in the Secret of signing keys is no Ed25519 private key: take its name out of signing.keys, and add another." }}
{{- end }}
{{- printf "whpk_%s" (index $parts 1 | substr 0 32 | b64enc) }}
{{- end }}

{{- define "warmcron.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "warmcron.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The environment that the chart sets; extraEnv must not name one of these. */}}
{{- define "warmcron.env" -}}
- name: WARMCRON_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: WARMCRON_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: WARMCRON_POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: WARMCRON_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: WARMCRON_LEASE_NAME
  value: {{ include "warmcron.fullname" . | quote }}
- name: WARMCRON_LEASE_DURATION_SECONDS
  value: {{ .Values.leaseDurationSeconds | quote }}
- name: WARMCRON_CALLBACK_URL
  value: {{ printf "%s://%s.%s.svc:%d" (.Values.tls.enabled | ternary "https" "http") (include "warmcron.fullname" .) .Release.Namespace (int .Values.service.callbacksPort) | quote }}
- name: WARMCRON_CALLBACK_KEY_FILE
  value: /var/run/secrets/warmcron/callback-key
- name: WARMCRON_SIGNING_KEYS_DIR
  value: /var/run/secrets/warmcron-signing
- name: WARMCRON_HISTORY_URL
  value: {{ ternary "" .Values.history.url (not (empty .Values.history.existingSecret)) | quote }}
{{- if .Values.history.existingSecret }}
- name: WARMCRON_HISTORY_URL_FILE
  value: /var/run/secrets/warmcron-history/url
{{- end }}
- name: WARMCRON_HISTORY_DAYS
  value: {{ .Values.history.days | quote }}
- name: WARMCRON_HISTORY_RUNS
  value: {{ int64 .Values.history.runs | quote }}
- name: WARMCRON_HISTORY_LOG_DAYS
  value: {{ .Values.history.logDays | quote }}
- name: WARMCRON_HISTORY_LOG_LINES
  value: {{ int64 .Values.history.logLines | quote }}
- name: WARMCRON_HISTORY_SQLITE_MEGABYTES
  value: {{ int64 .Values.history.sqliteMegabytes | quote }}
- name: WARMCRON_EVENTS
  value: {{ .Values.events.enabled | quote }}
{{- with .Values.dashboard.traceURL }}
- name: WARMCRON_TRACE_URL
  value: {{ . | quote }}
{{- end }}
{{- if .Values.notifications.url }}
- name: WARMCRON_NOTIFY_URL
  value: {{ .Values.notifications.url | quote }}
- name: WARMCRON_NOTIFY_SECRET_FILE
  value: /var/run/secrets/warmcron-notify/secret
- name: WARMCRON_NOTIFY_SOURCE
  value: {{ .Values.notifications.source | quote }}
- name: WARMCRON_NOTIFY_SILENCE_SECONDS
  value: {{ .Values.notifications.silenceSeconds | quote }}
{{- end }}
{{- if .Values.tls.enabled }}
- name: WARMCRON_TLS_DIR
  value: /var/run/secrets/warmcron-tls
{{- end }}
- name: WARMCRON_METRICS_TASKS
  value: {{ int64 .Values.metrics.tasks | quote }}
- name: WARMCRON_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: WARMCRON_LOG_FORMAT
  value: {{ .Values.logFormat | quote }}
{{- end }}

{{/* A token of its own that ends after an hour, instead of the automatic one, which the API server lets live a year. */}}
{{- define "warmcron.tokenVolume" -}}
name: api-token
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken:
        path: token
        expirationSeconds: 3600
    - configMap:
        name: kube-root-ca.crt
        items:
          - key: ca.crt
            path: ca.crt
    - downwardAPI:
        items:
          - path: namespace
            fieldRef:
              fieldPath: metadata.namespace
{{- end }}

{{- define "warmcron.tokenMount" -}}
name: api-token
mountPath: /var/run/secrets/kubernetes.io/serviceaccount
readOnly: true
{{- end }}

{{- define "warmcron.demoName" -}}
{{ include "warmcron.fullname" . }}-demo-worker
{{- end }}

{{/*
The metadata of a hook's object: whatever comes of the hook, nothing of it stays; the log of one that failed is printed.
Argument: root, component, hook, weight, name if it is another, log if the log is to be printed in more cases.
*/}}
{{- define "warmcron.hookMetadata" -}}
name: {{ default (printf "%s-%s" (include "warmcron.fullname" .root) .component) .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "warmcron.labels" . | nindent 2 }}
annotations:
  helm.sh/hook: {{ .hook }}
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
  helm.sh/hook-output-log-policy: {{ default "hook-failed" .log }}
{{- end }}

{{/*
A hook's ServiceAccount, Role and RoleBinding; they come before its pod and go with it.
Argument: root, component, hook, rules (YAML).
*/}}
{{- define "warmcron.hookAccount" -}}
{{- $metadata := include "warmcron.hookMetadata" (merge (dict "weight" "-5") .) }}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $metadata | nindent 2 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- $metadata | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "warmcron.fullname" .root }}-{{ .component }}
subjects:
  - kind: ServiceAccount
    name: {{ include "warmcron.fullname" .root }}-{{ .component }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/*
The Job of a hook: files/hook.py in the operator's image.
Argument: root, component, hook, command, env (YAML), log.
*/}}
{{- define "warmcron.hookJob" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "warmcron.hookMetadata" (merge (dict "weight" "0") .) | nindent 2 }}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 240
  template:
    metadata:
      labels:
        {{- include "warmcron.podLabels" . | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ include "warmcron.fullname" .root }}-{{ .component }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      terminationGracePeriodSeconds: 1
      securityContext:
        {{- include "warmcron.podSecurity" .root | nindent 8 }}
      containers:
        - name: hook
          image: {{ include "warmcron.image" (dict "root" .root "image" .root.Values.image) | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          command: [python, -I, -c]
          args:
            - |
              {{- .root.Files.Get "files/hook.py" | nindent 14 }}
            - {{ .command }}
          env:
            {{- .env | nindent 12 }}
          resources:
            requests:
              cpu: 10m
              memory: 32Mi
              ephemeral-storage: 16Mi
            limits:
              cpu: "1"
              memory: 128Mi
              ephemeral-storage: 32Mi
          securityContext:
            {{- include "warmcron.containerSecurity" .root | nindent 12 }}
          volumeMounts:
            - {{- include "warmcron.tokenMount" .root | nindent 14 }}
      volumes:
        - {{- include "warmcron.tokenVolume" .root | nindent 10 }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
