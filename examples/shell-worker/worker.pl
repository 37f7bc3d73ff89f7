#!/usr/bin/perl
# A worker that is not Python: each handler is a program in the folder `handlers`. It gets the request's JSON on its
# standard input; exit code 0 is success, and what it prints is kept with the run. No module beyond Perl's own is needed.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $folder) = ($ARGV[0] || 8080, $ARGV[1] || 'handlers');
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 64, ReuseAddr => 1) or die "port $port: $!\n";
$SIG{TERM} = sub { exit 0 };
$SIG{CHLD} = 'IGNORE';    # children are reaped by the kernel

while (1) {
    my $client = $server->accept or next;
    next if fork;         # the parent goes on listening; each request has a process of its own
    $SIG{CHLD} = $SIG{TERM} = 'DEFAULT';
    my ($status, $body) = answer(request($client));
    printf $client "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s",
        $status, length $body, $body;
    exit 0;
}

sub request {
    my ($client) = @_;
    my $line = <$client> // '';
    my $length = 0;
    while (defined(my $header = <$client>)) {
        last if $header =~ /^\r?\n$/;
        $length = $1 if $header =~ /^content-length:\s*(\d+)/i;
    }
    my $body = '';
    read $client, $body, $length if $length;
    my ($method, $path) = split ' ', $line;
    return ($method // '', $path // '', $body);
}

sub answer {
    my ($method, $path, $body) = @_;
    return ('200 OK', '{}') if $path eq '/readyz';
    return ('404 Not Found', '{"detail":"no such path"}') unless "$method $path" eq 'POST /api/task/execute';
    # The handler stands before the payload; a name that could leave the folder matches nothing.
    my ($handler) = $body =~ /"handler":\s*"([A-Za-z0-9_-]+)"/;
    return ('404 Not Found', '{"detail":"unknown handler"}') unless defined $handler && -x "$folder/$handler";
    my ($code, @lines) = run("$folder/$handler", $body);
    my $log = join ',', map { '{"stream":"stdout","text":' . text($_) . '}' } @lines;
    return ('200 OK', qq({"outcome":"Succeeded","log":[$log]})) if $code == 0;
    return ('200 OK', qq({"outcome":"Failed","error":{"type":"ExitCode","message":"exit code $code"},"log":[$log]}));
}

sub run {
    my ($program, $input) = @_;
    pipe(my $out, my $in) or die;
    my $pid = fork // die;
    if (!$pid) {
        pipe(my $from, my $to) or die;
        if (!fork) { close $from; print $to $input; exit 0 }    # the input, from a process that may block
        close $to;
        open STDIN, '<&', $from;
        open STDOUT, '>&', $in;
        open STDERR, '>&', $in;
        exec $program or exit 127;
    }
    close $in;
    my @lines = map { chomp; $_ } <$out>;
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, @lines > 1000 ? @lines[-1000 .. -1] : @lines);
}

sub text {
    my ($line) = @_;
    $line =~ s/([\\"])/\\$1/g;
    $line =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return qq("$line");
}
