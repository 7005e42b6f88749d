// Runs a Jenkinsfile: a few words of declarative pipelines and steps of plugins stand in for Jenkins; `sh` is real.
//
//   groovy run.groovy JENKINSFILE FOLDER    FOLDER/origin.git is the repository; BRANCH, CHANGE_TARGET as Jenkins sets them
//
// Each stage has a workspace of its own below FOLDER. What agents labelled gates-train get is written into FOLDER/log.

import org.codehaus.groovy.control.CompilerConfiguration

abstract class Steps extends Script {
    static File home
    static Map<String, String> secrets = ['gates-registry': 'registry-secret', 'gates-git': 'git-secret']
    static Map<String, String> environ = [:]
    static List<Map<String, String>> layers = []
    static String stageName = ''
    static String label = null
    static File at
    static List<String> log = []

    // -- the words of a declarative pipeline --
    void pipeline(Closure body) { run(body) }
    void stages(Closure body) { run(body) }
    void options(Closure body) { }
    void environment(Closure body) {
        body.delegate = new Variables()
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
    }
    void agent(Object none) { }
    void agent(Closure body) { run(body) }
    void label(String name) { label = name }
    void label(Map all) { }
    void script(Closure body) { run(body) }
    void steps(Closure body) { current.steps = body }
    void post(Closure body) { current.post = body }
    void when(Closure body) { current.when = body }
    void always(Closure body) { current.always = body }
    void failure(Closure body) { current.failure = body }
    void beforeAgent(boolean yes) { }
    void expression(Closure body) { current.holds = current.holds && body() }
    void branch(String name) { current.holds = current.holds && environ.BRANCH_NAME == name && !environ.CHANGE_TARGET }
    static Map current
    Object none = null

    void stage(String name, Closure body) {
        current = [holds: true]
        label = null
        run(body)
        def mine = current
        if (mine.when) { run(mine.when) }
        if (!mine.holds) { log << "skipped ${name}".toString(); return }
        log << "stage ${name} on ${label}".toString()
        stageName = name
        at = new File(home, "workspace-${name}")
        at.mkdirs()
        try {
            run(mine.steps)
        } catch (Throwable error) {
            after(mine, true)
            throw error
        }
        after(mine, false)
    }

    void after(Map mine, boolean failed) {
        if (!mine.post) { return }
        current = mine
        run(mine.post)
        if (mine.always) { run(mine.always) }
        if (failed && mine.failure) { run(mine.failure) }
    }

    Object run(Closure body) {
        body.delegate = this
        body.resolveStrategy = Closure.DELEGATE_FIRST
        return body()
    }

    // -- steps --
    Object getEnv() { return new Variables() }
    static class Variables {
        Object getProperty(String name) { return Steps.environ[name] }
        void setProperty(String name, Object value) { Steps.environ[name] = value.toString() }
    }
    Object getScm() { return 'scm' }

    void deleteDir() { at.deleteDir(); at.mkdirs() }
    void checkout(Object scm) {
        execute(['git', 'clone', '--quiet', '--branch', environ.BRANCH_NAME, new File(home, 'origin.git').path, '.'])
    }
    void dir(String path, Closure body) {
        def before = at
        at = new File(at, path)
        at.mkdirs()
        try { run(body) } finally { at = before }
    }
    void stash(Map how) {
        assert how.includes && how.name
        def target = new File(home, "stash-${how.name}")
        target.deleteDir()
        def names = how.includes.split(',')
        if (names[0] == '**') {
            execute(['cp', '-a', at.path, target.path])
        } else {
            target.mkdirs()
            names.each { if (new File(at, it).exists()) { execute(['cp', '-a', it, target.path]) } }
        }
        if (target.list().length == 0 && !how.allowEmpty) { throw new RuntimeException("nothing to stash: ${how.name}") }
        def change = new File(home, "change-${how.name}")
        if (change.exists()) { execute(['sh', '-e', change.path, target.path]) }
    }
    void unstash(String name) { execute(['cp', '-a', new File(home, "stash-${name}").path + '/.', at.path]) }
    Object withEnv(List<String> pairs, Closure body) {
        layers << pairs.collectEntries { def parts = it.split('=', 2); [(parts[0]): parts[1]] }
        try { return run(body) } finally { layers.pop() }
    }
    Map string(Map how) { return [(how.variable): secrets[how.credentialsId]] }
    Map gitUsernamePassword(Map how) { return [GIT_PASSWORD: secrets[how.credentialsId]] }
    void withCredentials(List<Map> each, Closure body) {
        log << "credentials on ${label}".toString()
        layers << each.inject([:]) { all, one -> all + one }
        try { run(body) } finally { layers.pop() }
    }
    Object sh(String script) { return sh(script: script) }
    Object sh(Map how) {
        def out = execute(['bash', '-e', '-c', how.script], how.returnStdout ?: false)
        return how.returnStdout ? out : null
    }
    void junit(Map how) { log << "junit ${new File(at, how.testResults).exists()}".toString() }
    void recordIssues(Map how) { log << "sarif ${new File(at, how.tool.pattern).exists()}".toString() }
    Map sarif(Map how) { return how }
    void archiveArtifacts(Map how) { }

    String execute(List<String> command, boolean quiet = false) {
        def builder = new ProcessBuilder(command.collect { it.toString() }).directory(at)
        def variables = builder.environment()
        variables.remove('GITHUB_ACTIONS')
        variables.putAll(environ)
        layers.each { variables.putAll(it) }
        variables.WORKSPACE = new File(home, "workspace-${stageName}").path
        if (!quiet) { builder.redirectOutput(ProcessBuilder.Redirect.INHERIT) }
        builder.redirectError(ProcessBuilder.Redirect.INHERIT)
        def process = builder.start()
        def out = quiet ? process.inputStream.text : ''
        if (process.waitFor() != 0) { throw new RuntimeException("${command.last()} ended with ${process.exitValue()}") }
        return out
    }
}

def (file, folder) = [new File(args[0]), new File(args[1])]
Steps.home = folder
['BRANCH_NAME', 'CHANGE_TARGET', 'JENKINS_URL', 'BUILD_NUMBER', 'MLFLOW_TRACKING_URI'].each {
    if (System.getenv(it)) { Steps.environ[it] = System.getenv(it) }
}
def config = new CompilerConfiguration()
config.scriptBaseClass = Steps.name
int code = 0
try {
    new GroovyShell(Steps.classLoader, new Binding(), config).evaluate(file)
} catch (Throwable error) {
    System.err.println("pipeline failed: ${error}")
    code = 1
}
new File(folder, 'log').text = Steps.log.join('\n') + '\n'
System.exit(code)
